"""Kind `nir`: a trained network as a NIR file, with the spikes that its framework gave for some samples.

A case NAME is a document, NAME.nir and NAME.npz beside it. The document says what a NIR file cannot: the time step
`dt`, the `reset`, the `threshold_test`, the `layer_delay`. The arrays are `input` (J, T, ...), `layers` (names), and
what of these there is: `raster_K` and `raster_K_shape` (packed bits of layer K, first samples; of every layer or none),
`counts` (J, layers), `output_counts` (J, outputs), `predictions` and `labels` (J,).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from dcsim.chip.dynamics import Dynamics, simulate
from dcsim.chip.files import DAMAGE
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.neurons import Integration, Reset
from dcsim.chip.nir import read
from dcsim.validation.case import Case, CaseError, Effort, Positive
from dcsim.validation.report import Row, compare

AREA = "chip"

#: Bins, or counts, that may differ: another order of summation can move a spike at its threshold.
DIFFERENT_BINS = 5

#: Nodes without weights of their own that are put together with those that follow.
_PUT_TOGETHER = {"SumPool2d", "AvgPool2d", "Scale", "Delay"}

_MOST_BYTES = 2**30


class Document(BaseModel):
    """What is read of a case; all else in it is description."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    dt: Positive = 1e-4
    """time step, s"""
    reset: str = "zero"
    threshold_test: str = "v > v_threshold"
    layer_delay: int | str = "none"
    recurrent_delay: int = 1
    integration: str = "euler"
    nodes: dict[str, Any] = Field(default={})
    synapses_total: int | None = Field(default=None, ge=0)
    accuracy_saved_samples: float | None = Field(default=None, ge=0, le=1)

    def options(self) -> dict[str, Any]:
        """Options of `dcsim.chip.nir.read`."""
        return {
            "dt_s": self.dt,
            "reset": _reset(self.reset),
            "at_threshold": _at_threshold(self.threshold_test),
            "layer_delay": _steps(self.layer_delay),
            "recurrent_delay": self.recurrent_delay,
            "integration": _integration(self.integration),
        }


def nir_case(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case: synapses, rasters, counts, predictions and accuracy, as far as the case has them."""
    del effort
    try:
        import h5py  # noqa: F401
    except ImportError:
        yield Row(AREA, case.name, "-", "skipped", note="needs the package nir: pip install 'dcsim[nir]'")
        return
    document = case.read(Document)
    network = read(_file(case, "nir"), **document.options(), name=case.name)
    arrays = _arrays(case)
    inputs = _of(arrays, "input", 3)
    done = simulate(network, inputs.reshape(*inputs.shape[:2], -1))
    rows = [*_synapses(case, document, network), *_spikes(case, arrays, done), *_answers(case, document, arrays, done)]
    if not rows:
        raise CaseError("found nothing to compare, want raster_0, counts, output_counts or predictions")
    yield from rows


def _reset(text: str) -> Reset:
    """The first word decides; a subtraction is in the next step unless it is said to be at once."""
    word = text.strip().lower()
    if word.startswith("subtract"):
        at_once = any(mark in word for mark in ("now", "at once", "immediate", "same step"))
        return "subtract-now" if at_once else "subtract"
    if word.startswith(("zero", "value", "v_reset", "v = v_reset")):
        return "value"
    raise CaseError(f"reset: found {text[:60]!r}, want zero, value, subtract or subtract-now")


def _at_threshold(text: str) -> bool:
    """Whether a potential that equals the threshold is enough: `v > v_threshold` or `v >= v_threshold`."""
    before, *rest = re.split("(>=|≥|<=|≤|<|>)", text.lower())
    if len(rest) == 2 and rest[0] in (">", ">=", "≥") and "thr" not in before:
        return rest[0] != ">"
    raise CaseError(f"threshold_test: found {text[:60]!r}, want v > v_threshold or v >= v_threshold")


def _steps(written: int | str) -> int:
    if isinstance(written, int):
        return written
    word = written.strip().lower().replace(":", " ").split(" ", 1)[0]
    named = {"none": 0, "no": 0, "zero": 0, "one": 1, "": 0}
    if word in named or word.isdecimal():
        return named[word] if word in named else int(word)
    raise CaseError(f"layer_delay: found {written[:60]!r}, want none or a number of steps")


def _integration(text: str) -> Integration:
    word = text.strip().lower()
    if word.startswith(("euler", "forward")):
        return "euler"
    if word.startswith("exp"):
        return "exponential"
    raise CaseError(f"integration: found {text[:60]!r}, want euler or exponential")


def _file(case: Case, ending: str) -> Path:
    """File of the case: named like its id, or else like its name."""
    name = case.body.get("name")
    try:
        return case.locate(f"{case.name}.{ending}")
    except CaseError:
        if not isinstance(name, str) or name == case.name:
            raise
        return case.locate(f"{name}.{ending}")


def _arrays(case: Case) -> Mapping[str, npt.NDArray[Any]]:
    """All arrays of the case; CaseError for a file that cannot be read or is too large unpacked."""
    path = _file(case, "npz")
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > _MOST_BYTES:
            raise CaseError(f"{path.name}: {size / 2**20:,.0f} MiB unpacked; at most {_MOST_BYTES // 2**20:,} are read")
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, *DAMAGE) as error:
        raise CaseError(f"{path.name}: no file of arrays: {' '.join(str(error).split())[:100]}") from None


def _of(arrays: Mapping[str, npt.NDArray[Any]], key: str, dimensions: int) -> npt.NDArray[Any]:
    """An array with at least so many dimensions."""
    if key not in arrays or arrays[key].ndim < dimensions:
        found = f"shape {arrays[key].shape}" if key in arrays else "none"
        raise CaseError(f"{key}: found {found}, want at least {dimensions} dimensions")
    return arrays[key]


def _layers(arrays: Mapping[str, npt.NDArray[Any]], done: Dynamics) -> list[int]:
    """Numbers of the layers that the case names."""
    numbers = {layer.name: index for index, layer in enumerate(done.network.layers)}
    names = [str(name) for name in _of(arrays, "layers", 1)]
    if not names:
        raise CaseError("layers: found no name, want one for each layer of neurons")
    for name in names:
        if name not in numbers:
            raise CaseError(f"layers: found {name[:60]!r}, the file has {', '.join(numbers)[:120]}")
    return [numbers[name] for name in names]


def _synapses(case: Case, document: Document, network: SpikingNetwork) -> Iterator[Row]:
    """Their number, where every weighted node is a connection by itself: otherwise a sum over nodes is another one."""
    kinds = {node.get("type") for node in document.nodes.values() if isinstance(node, dict)}
    if document.synapses_total is not None and not kinds & _PUT_TOGETHER:
        yield compare(AREA, case.name, "synapses", document.synapses_total, network.synapses, 0.0)


def _spikes(case: Case, arrays: Mapping[str, npt.NDArray[Any]], done: Dynamics) -> Iterator[Row]:
    """Bins of the rasters, and counts per sample and layer, that are not the same."""
    layers = _layers(arrays, done)
    bins, different = 0, 0
    for index, layer in enumerate(layers if _has_rasters(arrays, len(layers)) else ()):
        expected = _raster(arrays, index, done.spikes(layer).shape)
        bins += expected.size
        different += int((expected != done.spikes(layer)[: len(expected)]).sum())
    if bins:
        note = f"of {bins:,} bins"
        yield compare(AREA, case.name, "raster bins different", 0.0, different, DIFFERENT_BINS, note)
    if "counts" in arrays:
        yield _different(case, "spike counts different", arrays["counts"], done.counts[:, layers], DIFFERENT_BINS)


def _has_rasters(arrays: Mapping[str, npt.NDArray[Any]], layers: int) -> bool:
    """Whether the case has rasters; CaseError where only some of its layers have one."""
    kept = [key for key in arrays if re.fullmatch(r"raster_\d+(_shape)?", key)]
    wanted = [key for index in range(layers) for key in (f"raster_{index}", f"raster_{index}_shape")]
    for key in wanted:
        if kept and key not in kept:
            raise CaseError(f"{key}: found none, want raster_K and raster_K_shape for each of the {layers} layers")
    for key in kept:
        if key not in wanted:
            raise CaseError(f"{key}: found a raster of layer {key.split('_')[1]}, the case names {layers} layers")
    return bool(kept)


def _raster(arrays: Mapping[str, npt.NDArray[Any]], index: int, found: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Saved raster of one layer, (samples, T, neurons)."""
    shape = [int(size) for size in _of(arrays, f"raster_{index}_shape", 1)]
    packed, size = arrays[f"raster_{index}"], int(np.prod(shape))
    per_sample = [*shape[1:2], int(np.prod(shape[2:]))]
    fits = len(shape) >= 3 and shape[0] <= found[0] and per_sample == list(found[1:])
    if not fits or packed.dtype != np.uint8 or packed.size * 8 < size:
        raise CaseError(f"raster_{index}: found shape {shape}, want at most {list(found)}, in packed bits")
    return np.unpackbits(packed.ravel(), count=size).reshape(shape[0], *found[1:]).astype(np.bool_)


def _answers(case: Case, document: Document, arrays: Mapping[str, npt.NDArray[Any]], done: Dynamics) -> Iterator[Row]:
    """Spikes of the output neurons, the class with most of them (the first on a tie), and how often it is right."""
    layers = _layers(arrays, done)
    counted = done.spikes(layers[-1]).sum(axis=1)
    if "output_counts" in arrays:
        yield _different(case, "output counts different", arrays["output_counts"], counted, DIFFERENT_BINS)
    chosen = counted.argmax(axis=1)
    if "predictions" in arrays:
        yield _different(case, "predictions different", arrays["predictions"], chosen, 0)
    if document.accuracy_saved_samples is not None and "labels" in arrays:
        labels = arrays["labels"]
        if labels.shape != chosen.shape:
            raise CaseError(f"labels: found shape {labels.shape}, want {chosen.shape}")
        accuracy = float((chosen == labels).mean())
        yield compare(AREA, case.name, "accuracy", document.accuracy_saved_samples, accuracy, 1e-9)


def _different(
    case: Case, metric: str, expected: npt.NDArray[Any], simulated: npt.NDArray[Any], tolerance: float
) -> Row:
    """How many numbers of an array are not the same."""
    if expected.shape != simulated.shape:
        raise CaseError(f"{metric.removesuffix(' different')}: found shape {expected.shape}, want {simulated.shape}")
    different = int((expected != simulated).sum())
    return compare(AREA, case.name, metric, 0.0, different, tolerance, f"of {expected.size:,}")
