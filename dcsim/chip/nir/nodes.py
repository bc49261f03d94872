"""Linear nodes of a Neuromorphic Intermediate Representation: what each does to a signal of a given shape.

The equations are those of Pedersen et al., Nature Communications 15 (2024) 8122, with the conventions of PyTorch for
convolutions: kernels are not flipped, an average counts the padding, `same` puts the odd row at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim.chip.connections import Connection, Convolution
from dcsim.chip.given import MOST_NEURONS, NetworkError
from dcsim.chip.nir.file import Node
from dcsim.chip.nir.maps import Shape, Stage, explicit, full, unrolled
from dcsim.service import FloatArray

_LONGEST_DELAY = 100_000


def spread(values: npt.NDArray[Any] | float, shape: Shape, where: str) -> FloatArray:
    """Parameter of a node for each of its numbers, flat: one for all, one per channel (C, 1, 1), or one for each."""
    given = np.asarray(values, dtype=np.float64)
    size = math.prod(shape)
    if given.size == 1:
        return np.full(size, given.item())
    if given.size == size:
        return given.ravel()
    if shape and given.size == given.shape[0] == shape[0]:
        return np.repeat(given.ravel(), size // shape[0])
    raise NetworkError(f"{where}: found shape {given.shape}, want one number or the layer's shape {shape}")


def stage(node: Node, shape: Shape, dt_s: float) -> Stage:
    """What a linear node does to a signal of a shape. Raises NetworkError when that does not fit it."""
    return _STAGES[node.kind](node, shape, dt_s)


def shape_wanted(node: Node) -> Shape | None:
    """Shape that a node says its input has, if it does."""
    if node.kind in ("Affine", "Linear"):
        weight = number_array(node, "weight")
        return (*weight.shape[:-2], weight.shape[-1]) if weight.ndim >= 2 else None
    if node.kind in ("Conv1d", "Conv2d"):
        weight = number_array(node, "weight")
        if "input_shape" not in node.given or weight.ndim < 2:
            return None
        channels = weight.shape[1] * _whole(node, "groups", 1, 1)
        return channels, *(int(n) for n in number_array(node, "input_shape").ravel())
    if node.kind in ("Input", "Output", "Flatten"):
        key = "input_type" if node.kind == "Flatten" else "shape"
        return tuple(int(n) for n in number_array(node, key).ravel()) if key in node.given else None
    found = max((np.shape(value) for value in node.given.values()), key=math.prod, default=())
    return found if found and node.kind not in ("SumPool2d", "AvgPool2d") else None


# ------------------------------------------------------------ what each node does


def _passing(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    said = shape_wanted(node)
    if said and math.prod(said) != math.prod(shape):
        raise NetworkError(f"{node.where}: found an input of shape {shape}, its own is {said}")
    return Stage(shape)


def _matrix(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    weight = number_array(node, "weight").astype(np.float64)
    if weight.ndim < 2 or not weight.size:
        raise NetworkError(f"{node.where}: weight: found shape {weight.shape}, want (numbers out, numbers in)")
    leading, (rows, columns) = weight.shape[:-2], weight.shape[-2:]
    if math.prod(shape) != math.prod(leading) * columns:
        raise NetworkError(f"{node.where}: found an input of shape {shape}, its weight is {weight.shape}")
    out = (*leading, rows)
    constant = spread(number_array(node, "bias"), out, f"{node.where}: bias") if "bias" in node.given else None
    if math.prod(leading) == 1:
        return Stage(out, full(weight.reshape(rows, columns)), constant=constant)
    blocks = sparse.csr_array(sparse.block_diag(weight.reshape(-1, rows, columns).transpose(0, 2, 1), format="csr"))
    return Stage(out, explicit(blocks), constant=constant)


def _convolution(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    flat = node.kind == "Conv1d"
    weight = number_array(node, "weight").astype(np.float64)
    if weight.ndim != 3 + (not flat) or not weight.size:
        wanted = "(channels out, channels in per group, kernel" + (")" if flat else " rows, kernel columns)")
        raise NetworkError(f"{node.where}: weight: found shape {weight.shape}, want {wanted}")
    kernels = weight[:, :, None] if flat else weight
    groups = _whole(node, "groups", 1, 1)
    plane = _plane(node, shape, kernels.shape[1] * groups)
    if kernels.shape[0] % groups:
        raise NetworkError(f"{node.where}: found {groups} groups, want a divisor of {kernels.shape[0]} channels out")
    stride, dilation = _pair(node, "stride", 1, 1), _pair(node, "dilation", 1, 1)
    span = tuple((size - 1) * step + 1 for size, step in zip(kernels.shape[2:], dilation, strict=True))
    padding, after = _padding(node, span, stride)
    made = _convolved(node, plane, kernels.shape[0], span, stride, padding, after, groups)
    if dilation == (1, 1):
        through: Connection = replace(made, weights=kernels)
    else:
        wide = np.zeros((*kernels.shape[:2], *span))
        wide[:, :, :: dilation[0], :: dilation[1]] = kernels
        matrix = unrolled(node.where, replace(made, weights=wide))
        matrix.eliminate_zeros()
        through = explicit(matrix)
    out = made.shape_out[::2] if flat else made.shape_out
    bias = number_array(node, "bias").ravel() if "bias" in node.given else np.zeros(1)
    if bias.size not in (1, out[0]):
        raise NetworkError(f"{node.where}: bias: found shape {bias.shape}, want ({out[0]},)")
    constant = spread(bias.reshape(-1, *[1] * (len(out) - 1)), out, node.where)
    return Stage(out, through, constant=constant if constant.any() else None)


def _pool(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    plane = _plane(node, shape, None)
    kernel = _pair(node, "kernel_size", 1, 1)
    stride = kernel if "stride" not in node.given else _pair(node, "stride", 1, 1)
    padding, after = _padding(node, kernel, stride)
    made = _convolved(node, plane, plane[0], kernel, stride, padding, after, plane[0])
    share = 1.0 / math.prod(kernel) if node.kind == "AvgPool2d" else 1.0
    return Stage(made.shape_out, replace(made, weights=np.full((plane[0], 1, *kernel), share)))


def _flatten(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    first, last = _whole(node, "start_dim", 1, -99), _whole(node, "end_dim", -1, -99)
    first, last = (dim + len(shape) if dim < 0 else dim for dim in (first, last))
    if not 0 <= first <= last < len(shape):  # dimensions counted with the samples in front, or nothing to flatten
        return Stage((math.prod(shape),))
    return Stage((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def _scale(node: Node, shape: Shape, dt_s: float) -> Stage:
    del dt_s
    return Stage(shape, factor=spread(number_array(node, "scale"), shape, f"{node.where}: scale"))


def _delay(node: Node, shape: Shape, dt_s: float) -> Stage:
    steps = np.rint(spread(number_array(node, "delay"), shape, f"{node.where}: delay") / dt_s)
    if steps.min() < 0 or steps.max() > _LONGEST_DELAY:
        worst = steps.min() if steps.min() < 0 else steps.max()
        raise NetworkError(f"{node.where}: delay: found {worst:g} steps of {dt_s:g} s, want 0 to {_LONGEST_DELAY:,}")
    return Stage(shape, steps=steps.astype(np.int64))


_STAGES: Mapping[str, Callable[[Node, Shape, float], Stage]] = {
    "Input": _passing,
    "Output": _passing,
    "Affine": _matrix,
    "Linear": _matrix,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
    "Scale": _scale,
    "Delay": _delay,
}


# ------------------------------------------------------------ parameters


def number_array(node: Node, key: str) -> npt.NDArray[Any]:
    """Parameter of a node as numbers; NetworkError for a text or none."""
    value = node.given.get(key)
    if value is None or isinstance(value, str):
        raise NetworkError(f"{node.where}: {key}: found {value!r}, want numbers")
    return value


def _whole(node: Node, key: str, default: int, smallest: int) -> int:
    if key not in node.given:
        return default
    values = number_array(node, key)
    if values.size != 1 or values.item() != int(values.item()) or not smallest <= values.item() <= 2**31:
        raise NetworkError(f"{node.where}: {key}: found {values.tolist()}, want a whole number from {smallest}")
    return int(values.item())


def _pair(node: Node, key: str, default: int, smallest: int) -> tuple[int, int]:
    """Rows and columns; one number stands for both, and in one dimension for the columns."""
    if key not in node.given:
        return default, default
    values = number_array(node, key).ravel()
    wrong = values[(values != np.floor(values)) | (values < smallest) | (values > 2**24)]
    if values.size not in (1, 2) or wrong.size or (node.kind == "Conv1d" and values.size != 1):
        raise NetworkError(f"{node.where}: {key}: found {values.tolist()}, want whole numbers from {smallest}")
    rows = smallest if node.kind == "Conv1d" else int(values[0])
    return rows, int(values[-1])


def _padding(node: Node, span: Shape, stride: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of padding before and after."""
    written = node.given.get("padding")
    if not isinstance(written, str):
        padding = _pair(node, "padding", 0, 0)
        return padding, padding
    if written not in ("same", "valid"):
        raise NetworkError(f"{node.where}: padding: found {written[:40]!r}, want same, valid or whole numbers")
    if written == "valid":
        return (0, 0), (0, 0)
    if stride != (1, 1):
        raise NetworkError(f"{node.where}: found padding 'same' with stride {stride[0]}, {stride[1]}; want stride 1")
    before = (span[0] - 1) // 2, (span[1] - 1) // 2
    return before, (span[0] - 1 - before[0], span[1] - 1 - before[1])


def _plane(node: Node, shape: Shape, channels: int | None) -> tuple[int, int, int]:
    """Input as channels x height x width; the node's own `input_shape` helps where the signal has been flattened."""
    flat = node.kind == "Conv1d"
    dims = 2 if flat else 3
    found = shape[1:] if len(shape) == dims + 1 and shape[0] == 1 else shape
    wanted = shape_wanted(node)
    if len(found) != dims and wanted is not None and math.prod(wanted) == math.prod(shape):
        found = wanted
    if len(found) != dims or (channels is not None and found[0] != channels):
        needed = "channels" if channels is None else f"{channels} channels"
        size = "length" if flat else "height x width"
        raise NetworkError(f"{node.where}: found an input of shape {shape}, want {needed} x {size}")
    if wanted is not None and tuple(wanted) != tuple(found):
        raise NetworkError(f"{node.where}: found an input of shape {shape}, its input_shape says {wanted}")
    return (found[0], 1, found[1]) if flat else (found[0], found[1], found[2])


def _convolved(
    node: Node,
    plane: tuple[int, int, int],
    channels: int,
    span: Shape,
    stride: tuple[int, int],
    padding: tuple[int, int],
    after: tuple[int, int],
    groups: int,
) -> Convolution:
    """Convolution without weights, with the largest output that the padded input allows."""
    height, width = (
        (plane[1 + axis] + padding[axis] + after[axis] - span[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    if min(height, width) < 1:
        raise NetworkError(f"{node.where}: a kernel of {span[0]} x {span[1]} is larger than the padded input {plane}")
    if channels * height * width > MOST_NEURONS:
        raise NetworkError(
            f"{node.where}: found {channels} x {height} x {width} numbers, want at most {MOST_NEURONS:,}"
        )
    return Convolution(
        source=0, target=0, shape_in=plane, shape_out=(channels, height, width), kernel=(span[0], span[1]),
        stride=stride, padding=padding, groups=groups,
    )  # fmt: skip
