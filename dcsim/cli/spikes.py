"""Spikes from a NumPy file: a raster of all neurons or of the inputs, or the input's currents."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.errors import DcsimError, nearest

if TYPE_CHECKING:
    import numpy.typing as npt

    from dcsim.chip import SpikingNetwork

#: Names that the array may have in an .npz file, best first; `raster` is packed, eight bins to a byte.
KEYS = ("spikes", "input", "raster")

_MOST_BYTES = 4 * 2**30


def read(path: Path, network: SpikingNetwork) -> npt.NDArray[Any]:
    """Array of shape (steps, n) or (samples, steps, n), with n all neurons of `network` or its inputs.

    Further axes are the shape of a layer and are made one. Raises DcsimError for a file that is missing, damaged or
    pickled, for an array of another shape and for values that are not finite numbers.
    """
    found = _array(path)
    if found.dtype.kind not in "biuf":
        raise DcsimError(f"--spikes {path}: found {found.dtype} values, want 0 and 1, or currents of the inputs")
    inputs = network.size - network.neurons
    wanted = {network.size, inputs} - {0}
    for leading in (2, 1):
        if found.ndim > leading and found.size and math.prod(found.shape[leading:]) in wanted:
            if found.dtype.kind == "f" and not np.isfinite(found).all():
                raise DcsimError(f"--spikes {path}: found a value that is no finite number")
            return found.reshape(*found.shape[:leading], -1)
    neurons = f"{network.size} (all neurons)" + (f" or {inputs} (inputs)" if inputs else "")
    raise DcsimError(f"--spikes {path}: found shape {found.shape}, want (steps, n) or (samples, steps, n), n {neurons}")


def _array(path: Path) -> npt.NDArray[Any]:
    """The array of an .npy file, or the one of an .npz file that has a name of `KEYS` or is alone there."""
    try:
        if zipfile.is_zipfile(path):
            return _of_archive(path)
        with path.open("rb") as file:
            return np.asarray(np.load(file, allow_pickle=False))
    except FileNotFoundError:
        raise DcsimError(f"--spikes {path}: no such file") from None
    except MemoryError:
        raise DcsimError(f"--spikes {path}: its array is too large for the memory of this machine") from None
    except (ValueError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DcsimError(f"--spikes {path}: no array that can be read ({_reason(error)}); want .npy or .npz") from None


def _of_archive(path: Path) -> npt.NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
    name = next((key for key in KEYS if key in sizes), next(iter(sizes)) if len(sizes) == 1 else None)
    if name is None or (name == "raster" and "raster_shape" not in sizes):
        close = nearest(KEYS[0], sizes) if sizes else ""
        raise DcsimError(f"--spikes {path}: found no array spikes or input, and no raster with raster_shape{close}")
    if sizes[name] > _MOST_BYTES:
        raise DcsimError(f"--spikes {path}: {name} has {sizes[name]:,} bytes, want at most {_MOST_BYTES:,}")
    with np.load(path, allow_pickle=False) as arrays:
        return _unpacked(path, arrays[name], arrays["raster_shape"]) if name == "raster" else arrays[name]


def _unpacked(path: Path, packed: npt.NDArray[Any], shape: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A raster whose rows, or the whole of which, were packed by `numpy.packbits`."""
    wanted = tuple(int(size) for size in shape.reshape(-1))
    if packed.dtype == np.uint8 and wanted and min(wanted) > 0:
        rows = (*wanted[:-1], -(-wanted[-1] // 8))
        if packed.shape == rows:
            return np.unpackbits(packed, axis=-1, count=wanted[-1])
        if packed.shape == (-(-math.prod(wanted) // 8),):
            return np.unpackbits(packed, count=math.prod(wanted)).reshape(wanted)
    problem = f"raster of {packed.dtype} {packed.shape} does not hold the bits of raster_shape {wanted}"
    raise DcsimError(f"--spikes {path}: {problem}")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0] or type(error).__name__)[:120]
