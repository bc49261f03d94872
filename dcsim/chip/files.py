"""Networks by name: a file of any kind that is read, or a model of the catalog.

A `.nir` file is read by `dcsim.chip.nir`, a `.yaml` file by `dcsim.chip.layers`. An `.npz` file has explicit synapses:

    pre, post      numbers of the neurons at both ends of each synapse
    weight         of each synapse
    bias           constant current into each neuron
    threshold      number, or one per neuron; with `leak`, the factor of the potential in a step (1 unless given), these
                   make neurons that fire above it and are then set to 0
    kind           0 for each neuron that only sends spikes, 1 or 2 for others
    core           core of each neuron

of which `pre` and `post` must be there and an empty array counts as absent. Every spike takes one step.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim import catalog
from dcsim.catalog import Catalog
from dcsim.chip import layers
from dcsim.chip.given import MOST_NEURONS, MOST_SYNAPSES, NetworkError, Rates, numbers_of, rate_table, whole_steps
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.neurons import Neurons
from dcsim.chip.placement import Placement
from dcsim.errors import CatalogError, nearest

#: Endings of the files that are read.
SUFFIXES = (".nir", ".yaml", ".yml", ".npz")

_PER_SYNAPSE, _PER_NEURON = ("pre", "post", "weight"), ("kind", "core", "bias", "threshold", "leak")

#: Arrays that may be one number for all neurons.
_ONE_FOR_ALL = ("bias", "threshold", "leak")

#: What a damaged archive, or the header of an array in it, makes the readers of Python and NumPy raise.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, RuntimeError, KeyError, SyntaxError, MemoryError,
    tokenize.TokenError,
)  # fmt: skip

Array = npt.NDArray[Any]

_MANY = 100_000  # neurons from which a network that uses few of them is thought a mistake
_STRAY = 10  # one in so many


class Explicit(NamedTuple):
    """What an .npz file says."""

    network: SpikingNetwork
    placement: Placement | None
    """where its neurons are, if it says that"""


def load(
    source: str | Path,
    *,
    steps: float | None = None,
    rates: Rates | None = None,
    entries: Catalog | None = None,
    **nir: object,
) -> SpikingNetwork:
    """Network of a file, by its ending, or of the model of that name in `entries`, by default the shipped catalog.

    `steps` and `rates` take the place of those that the source gives; `nir` are the options of `dcsim.chip.nir.read`.
    Raises NetworkError, PlacementError or CatalogError.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if nir and suffix != ".nir":
        raise NetworkError(f"{source}: found options of a .nir file: {', '.join(nir)}")
    if suffix == ".nir":
        network = SpikingNetwork.from_nir(path, **nir)
    elif suffix in (".yaml", ".yml"):
        network = layers.load(path)
    elif suffix == ".npz":
        network = load_npz(path).network
    else:
        network = _of_model(str(source), catalog.load() if entries is None else entries)
    if steps is None and rates is None:
        return network
    count = network.steps if steps is None else whole_steps(network.name, steps)
    table = network.rates if rates is None else rate_table(network.name, rates, count, len(network.layers))
    if len(table) not in (1, count):
        raise NetworkError(f"{network.name}: found rates for {len(table)} steps, want {count}")
    return replace(network, steps=count, rates=table)


def load_npz(path: str | Path) -> Explicit:
    """Network of explicit synapses, and its placement if there is one. Raises NetworkError and PlacementError."""
    path = Path(path)
    found = _arrays(path)
    _check_lengths(path, found, _PER_SYNAPSE, "synapse")
    per_neuron = _check_lengths(path, found, _PER_NEURON, "neuron")
    dynamics = None
    if "threshold" in found:
        threshold, leak = (numbers_of(str(path), key, found.get(key, np.ones(()))) for key in ("threshold", "leak"))
        dynamics = Neurons(decay=leak, threshold=threshold)
    kind = found.get("kind")
    if kind is not None and (strange := kind[~np.isin(kind, (0, 1, 2))]).size:
        raise NetworkError(f"{path}: kind: found {strange[0]}, want 0 (only sends spikes), 1 or 2")
    network = SpikingNetwork.from_synapses(
        found["pre"],
        found["post"],
        neurons=per_neuron,
        weights=found.get("weight"),
        bias=found.get("bias"),
        inputs=None if kind is None else np.asarray(kind == 0, dtype=np.bool_),
        dynamics=dynamics,
        name=path.stem,
    )
    if per_neuron is None:
        _check_numbers(path, network)
    return Explicit(network, Placement(found["core"]) if "core" in found else None)


def _check_lengths(path: Path, found: Mapping[str, Array], keys: Sequence[str], each: str) -> int | None:
    """How many synapses or neurons the arrays are for, None without any; the one that the others outvote is wrong."""
    lists = {}
    for key in keys:
        if key in found and found[key].ndim:
            lists[key] = len(found[key])
        elif key in found and key not in _ONE_FOR_ALL:
            raise NetworkError(f"{path}: {key}: found a single number, want one per {each}")
    if len(set(lists.values())) < 2:
        return next(iter(lists.values()), None)
    count, agreed = Counter(lists.values()).most_common(1)[0]
    if agreed == 1:
        sizes = ", ".join(f"{key} {length:,}" for key, length in lists.items())
        raise NetworkError(f"{path}: found lists of different lengths, want one number per {each} in each: {sizes}")
    wrong = next(key for key, length in lists.items() if length != count)
    raise NetworkError(
        f"{path}: {wrong}: found {lists[wrong]:,} numbers, want one per {each}: the others have {count:,}"
    )


def _check_numbers(path: Path, network: SpikingNetwork) -> None:
    """Without an array per neuron the highest number says how many there are: one that is astray makes millions."""
    synapses = network.connections[0]
    used = int(((synapses.fan_in() > 0) | (synapses.fan_out() > 0)).sum())
    if network.size > _MANY and used < network.size / _STRAY:
        last = network.size - 1
        raise NetworkError(
            f"{path}: names neuron {last:,}, but only {used:,} neurons have a synapse; check pre and post, or give kind"
        )


def _of_model(name: str, entries: Catalog) -> SpikingNetwork:
    try:
        return SpikingNetwork.of(entries.get(name, kind="model"))
    except CatalogError as error:
        if Path(name).exists() or "/" in name or "\\" in name:
            raise NetworkError(f"{name}: want a file that ends in {', '.join(SUFFIXES)}") from None
        raise CatalogError(f"{error}; a file of a network ends in {', '.join(SUFFIXES)}") from None


def _arrays(path: Path) -> dict[str, Array]:
    """Arrays that are understood and not empty; no array is loaded before its size is known."""
    found: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for key in (*_PER_SYNAPSE, *_PER_NEURON):
                if f"{key}.npy" in names:
                    most = MOST_SYNAPSES if key in _PER_SYNAPSE else MOST_NEURONS
                    array = _member(path, archive, key, most)
                    if array.size or key in ("pre", "post"):
                        found[key] = array
                elif key in ("pre", "post"):
                    raise NetworkError(f"{path}: found no array '{key}', want pre and post")
            known = (*_PER_SYNAPSE, *_PER_NEURON, "raster", "raster_shape")
            for name in (name.removesuffix(".npy") for name in names):
                if name not in known:
                    raise NetworkError(f"{path}: unknown array {name[:40]!r}{nearest(name[:40], known)}")
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror or error}") from None
    except DAMAGE as error:
        reason = [*str(error).splitlines(), type(error).__name__][0]
        raise NetworkError(f"{path}: is no sound .npz file: {reason}") from None
    return found


def _member(path: Path, archive: zipfile.ZipFile, key: str, most: int) -> Array:
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise NetworkError(f"{path}: {key}: found an array of version {version}, want 1.0 or 2.0")
        shape, _, dtype = read(file)
        size = int(np.prod(shape, dtype=object))
        if dtype.kind not in "iufb":
            raise NetworkError(f"{path}: {key}: found {dtype} values, want numbers")
        if len(shape) > 1 or size > most:
            raise NetworkError(f"{path}: {key}: found shape {shape}, want a list of at most {most:,} numbers")
        if file.tell() + size * dtype.itemsize != info.file_size:
            raise NetworkError(f"{path}: {key}: found {info.file_size:,} bytes, want those of {size:,} numbers")
    with archive.open(info) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array
