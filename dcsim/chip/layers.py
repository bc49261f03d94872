"""A network written as a list of layers: what each says about itself and about the connection that leads to it.

Input first. A layer is a number of neurons, connected to all of the layer before; a row of seven numbers (`ROW`), as
catalogs have them; or a mapping with one of the keys of `KINDS`:

    {dense: 256}
    {conv: 16, kernel: 3, stride: 1, padding: 1, groups: 1}     kernel, stride and padding may be [rows, columns]
    {pool: 2, stride: 2}                                        stride is the pool unless given
    {sparse: 512, fan_in: 64, seed: 1}                          each neuron has 64 different sources, drawn

each with `recurrent: true` for connections from every neuron of the layer to every other one and itself, a step later,
and with `name`. The input is a number, (channels, height, width), or a row. A file (`load`) holds such a list under
`layers`, beside `name`, `steps` and `rates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from scipy import sparse

from dcsim import seeds
from dcsim.catalog.loader import MAX_BYTES, document
from dcsim.chip.connections import Connection, Convolution, Dense, Sparse
from dcsim.chip.given import MOST_NEURONS, MOST_SYNAPSES, NetworkError
from dcsim.chip.network import Layer, SpikingNetwork
from dcsim.errors import CatalogError, nearest
from dcsim.service import IntArray

#: Columns of a row; `kernel` 0 means connected to every neuron of the layer before. Pooling has groups = channels and
#: stride = kernel.
ROW = ("channels", "height", "width", "kernel", "stride", "padding", "groups")

#: Kinds of layers written as mappings, and the keys of each beside `recurrent` and `name`.
KINDS: Mapping[str, tuple[str, ...]] = {
    "dense": (),
    "conv": ("kernel", "stride", "padding", "groups"),
    "pool": ("stride",),
    "sparse": ("fan_in", "seed"),
}

#: Keys of a file that holds a network.
KEYS = ("name", "steps", "rates", "layers")

Written: TypeAlias = int | Sequence[float] | Mapping[str, object]

_LARGEST_PLANE = 2**22


def built(written: Sequence[Written], name: str) -> tuple[tuple[Layer, ...], tuple[Connection, ...]]:
    """Layers and connections of a list of layers. Raises NetworkError."""
    if len(written) < 2:
        raise NetworkError(f"{name}: found {len(written)} layers, want at least 2, input included")
    layers = [_input(f"{name}, layer 0", written[0])]
    connections: list[Connection] = []
    for number, one in enumerate(written[1:], start=1):
        where = f"{name}, layer {number}"
        layer, connection = _following(where, layers[-1], number, one)
        _check_size(where, layer)
        layers.append(layer)
        connections.append(connection)
        if isinstance(one, Mapping) and _flag(where, one, "recurrent"):
            connections.append(
                Dense(source=number, target=number, delay=1, sources=layer.neurons, targets=layer.neurons)
            )
    return tuple(layers), tuple(connections)


def load(path: str | Path) -> SpikingNetwork:
    """Network of a YAML file with `layers`, and `name` (that of the file), `steps` (1) and `rates` (0) if it says so.

    Raises NetworkError that names the file and what is wrong with it.
    """
    path = Path(path)
    try:
        found = document(str(path), _text(path))
    except CatalogError as error:
        raise NetworkError(str(error)) from None
    if not isinstance(found, dict) or "layers" not in found:
        raise NetworkError(f"{path}: found no 'layers', want {', '.join(KEYS)}")
    for key in found:
        if key not in KEYS:
            raise NetworkError(f"{path}: unknown key '{key}'{nearest(str(key), KEYS)}")
    name, layers, steps = found.get("name", path.stem), found["layers"], found.get("steps", 1)
    if not isinstance(name, str) or not isinstance(layers, list):
        raise NetworkError(f"{path}: want a text as name and a list as layers")
    for number, one in enumerate(layers):
        if not isinstance(one, int | float | list | dict):
            raise NetworkError(f"{path}: layer {number}: found {one!r}, want a number, a list or a mapping")
    if isinstance(steps, bool) or not isinstance(steps, int | float):
        raise NetworkError(f"{path}: found steps {steps!r}, want a whole number")
    return SpikingNetwork.layered(layers, steps=steps, rates=found.get("rates", 0.0), name=name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise NetworkError(f"{path}: found more than {MAX_BYTES:,} bytes, the most that a network file may have")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NetworkError(f"{path}: is not UTF-8 text") from None


def _input(where: str, written: Written) -> Layer:
    if isinstance(written, Mapping):
        raise NetworkError(f"{where}: the input is a number of neurons or [channels, height, width]")
    values = _values(where, written)
    if len(values) not in (1, 3, len(ROW)):
        raise NetworkError(f"{where}: found {len(values)} numbers, want 1, 3 or {len(ROW)}: {', '.join(ROW)}")
    sizes = [_whole(where, key, value, 1) for key, value in zip(ROW[:3], values[:3], strict=False)]
    channels, height, width = [*sizes, 1, 1][:3]
    layer = Layer(channels, height, width, is_input=True)
    _check_size(where, layer)
    return layer


def _values(where: str, written: float | Sequence[float]) -> list[float]:
    """The numbers of an input or a row."""
    if not isinstance(written, int | float | np.number | list | tuple | np.ndarray):
        raise NetworkError(f"{where}: found {written!r}, want a number, a list or a mapping")
    values = [written] if isinstance(written, int | float | np.number) else written
    return [value.item() if isinstance(value, np.number) else value for value in values]


def _following(where: str, before: Layer, number: int, written: Written) -> tuple[Layer, Connection]:
    if isinstance(written, Mapping):
        return _mapping(where, before, number, written)
    values = _values(where, written)
    if len(values) not in (1, len(ROW)):
        raise NetworkError(f"{where}: found {len(values)} numbers, want 1 or {len(ROW)}: {', '.join(ROW)}")
    numbers = [_whole(where, key, value, key in ROW[:3]) for key, value in zip(ROW, values, strict=False)]
    channels, height, width = [*numbers, 1, 1][:3]
    layer = Layer(channels, height, width)
    _check_size(where, layer)
    if len(numbers) == 1 or numbers[3] == 0:
        return layer, Dense(source=number - 1, target=number, sources=before.neurons, targets=layer.neurons)
    _, _, _, kernel, stride, padding, groups = numbers
    found, connection = _convolved(
        where, before, number, layer.channels, (kernel, kernel), (stride, stride), (padding, padding), groups
    )
    if found.shape != layer.shape:
        raise NetworkError(
            f"{where}: found {layer.height} x {layer.width}, but kernel {kernel}, stride {stride}, padding {padding} "
            f"on {before.height} x {before.width} give {found.height} x {found.width}"
        )
    return layer, connection


def _mapping(where: str, before: Layer, number: int, written: Mapping[str, object]) -> tuple[Layer, Connection]:
    kinds = [kind for kind in KINDS if kind in written]
    if len(kinds) != 1:
        raise NetworkError(
            f"{where}: found {', '.join(map(str, written)) or 'nothing'}, want one of {', '.join(KINDS)}"
        )
    kind = kinds[0]
    allowed = (kind, *KINDS[kind], "recurrent", "name")
    for key in written:
        if key not in allowed:
            raise NetworkError(f"{where}: unknown key '{key}' of a {kind} layer{nearest(str(key), allowed)}")
    label = written.get("name", "")
    if not isinstance(label, str):
        raise NetworkError(f"{where}: found name {label!r}, want a text")
    size = _whole(where, kind, written[kind], 1)
    if kind == "dense":
        layer = Layer(size, name=label)
        return layer, Dense(source=number - 1, target=number, sources=before.neurons, targets=size)
    if kind == "sparse":
        return Layer(size, name=label), _drawn(where, before, number, size, written)
    if kind == "pool":
        stride = _pair(where, "stride", written.get("stride", size), 1)
        found, connection = _convolved(
            where, before, number, before.channels, (size, size), stride, (0, 0), before.channels
        )
    else:
        kernel = _pair(where, "kernel", written.get("kernel"), 1)
        stride, padding = (
            _pair(where, key, written.get(key, low), low) for key, low in (("stride", 1), ("padding", 0))
        )
        groups = _whole(where, "groups", written.get("groups", 1), 1)
        found, connection = _convolved(where, before, number, size, kernel, stride, padding, groups)
    return Layer(*found.shape, name=label), connection


def _convolved(
    where: str,
    before: Layer,
    number: int,
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> tuple[Layer, Connection]:
    if before.plane > _LARGEST_PLANE:
        raise NetworkError(f"{where}: {before.plane} positions to convolve, want at most {_LARGEST_PLANE}")
    if min(stride) < 1 or groups < 1 or any(pad >= size for pad, size in zip(padding, kernel, strict=True)):
        raise NetworkError(
            f"{where}: found stride {stride[0]}, groups {groups}, padding {padding[0]}, "
            f"want stride and groups from 1 and padding below the kernel, {kernel[0]}"
        )
    if before.channels % groups or channels % groups:
        raise NetworkError(
            f"{where}: found {groups} groups, want a divisor of {before.channels} channels in and {channels} out"
        )
    height, width = (
        (size + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1
        for axis, size in enumerate((before.height, before.width))
    )
    if min(height, width) < 1:
        raise NetworkError(
            f"{where}: kernel {kernel[0]} is larger than {before.height} x {before.width} and its padding"
        )
    layer = Layer(channels, height, width)
    connection = Convolution(
        source=number - 1, target=number, shape_in=before.shape, shape_out=layer.shape, kernel=kernel, stride=stride,
        padding=padding, groups=groups,
    )  # fmt: skip
    return layer, connection


def _drawn(where: str, before: Layer, number: int, size: int, written: Mapping[str, object]) -> Sparse:
    """Each neuron's sources, `fan_in` different ones."""
    fan_in = _whole(where, "fan_in", written.get("fan_in"), 1)
    seed = _whole(where, "seed", written.get("seed", 1), 0)
    if fan_in > before.neurons:
        raise NetworkError(
            f"{where}: found fan_in {fan_in}, want at most the {before.neurons} neurons of the layer before"
        )
    if size * fan_in > MOST_SYNAPSES:
        raise NetworkError(f"{where}: found {size * fan_in:,} drawn synapses, want at most {MOST_SYNAPSES:,}")
    generator = seeds.generator(seed, 0, f"chip/sparse layer {number}")
    sources = different(generator, before.neurons, size, fan_in).ravel()
    targets = np.repeat(np.arange(size), fan_in)
    matrix = sparse.csr_array((np.ones(len(sources)), (sources, targets)), shape=(before.neurons, size))
    return Sparse(source=number - 1, target=number, matrix=matrix, known=False)


def different(generator: np.random.Generator, among: int, rows: int, columns: int) -> IntArray:
    """In each row different numbers below `among`, every set as likely as any other, shape (rows, columns)."""
    if 2 * columns > among:
        return np.concatenate(
            [np.zeros((0, columns), np.int64)] + [generator.permutation(among)[None, :columns] for _ in range(rows)]
        )
    drawn = np.sort(generator.integers(among, size=(rows, columns)), axis=1)
    while True:  # what is there twice is drawn again until nothing is: no number is preferred
        twice = np.diff(drawn, axis=1, prepend=-1) == 0
        affected = np.flatnonzero(twice.any(axis=1))
        if not len(affected):
            return drawn
        again = twice[affected]
        part = drawn[affected]
        part[again] = generator.integers(among, size=int(again.sum()))
        drawn[affected] = np.sort(part, axis=1)


def _check_size(where: str, layer: Layer) -> None:
    if layer.neurons > MOST_NEURONS:
        raise NetworkError(f"{where}: found {layer.neurons} neurons, want at most {MOST_NEURONS}")


def _whole(where: str, key: str, value: object, smallest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not smallest <= value <= 2**31 or value % 1:
        raise NetworkError(f"{where}: found {key} {value!r}, want a whole number from {smallest:d}")
    return int(value)


def _pair(where: str, key: str, value: object, smallest: int) -> tuple[int, int]:
    both = value if isinstance(value, list | tuple) else [value, value]
    if len(both) != 2:
        raise NetworkError(f"{where}: found {key} {value!r}, want a whole number or [rows, columns]")
    return _whole(where, key, both[0], smallest), _whole(where, key, both[1], smallest)


def _flag(where: str, written: Mapping[str, object], key: str) -> bool:
    value = written.get(key, False)
    if not isinstance(value, bool):
        raise NetworkError(f"{where}: found {key} {value!r}, want true or false")
    return value
