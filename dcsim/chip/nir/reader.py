"""Spiking networks from files of the Neuromorphic Intermediate Representation (NIR).

A file holds differential equations and says neither how long a step is nor how they are solved in steps, how a spike
resets a neuron (beyond the value `v_reset`), whether reaching the threshold is enough, or how long a spike takes. These
are options of `read`; the defaults are what the specification and the exporter of snnTorch imply.

Every neuron node (IF, LIF, CubaLIF, Threshold, and I, LI, CubaLI, which do not spike) becomes a layer of its name, and
so does every Input. The linear nodes in front of it become its connections, and their biases a constant current, from
the first step on and also behind a Delay. Linear nodes between the last neurons and an Output become a layer of neurons
that do not spike, of the Output's name, whose state is the output.

Order: layers run so that each comes after those that it gets spikes from, layers side by side by name; nothing depends
on the order in the file. An edge that closes a cycle, as a depth-first walk from the inputs finds it (branches by
name), takes `recurrent_delay` steps, unless Delay nodes in the cycle already make it last a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np

from dcsim.chip.connections import Connection
from dcsim.chip.given import MOST_NEURONS, NetworkError, Rates, rate_table, whole_steps
from dcsim.chip.network import Layer, SpikingNetwork
from dcsim.chip.neurons import INTEGRATIONS, RESETS, Integration, Neurons, Reset, approach
from dcsim.chip.nir.file import Graph, Node, load
from dcsim.chip.nir.maps import Shape, Signal, Stage, Term, one_to_one, passed, summed
from dcsim.chip.nir.nodes import number_array, shape_wanted, spread, stage
from dcsim.errors import nearest
from dcsim.service import FloatArray

#: Types of nodes that become layers of neurons; whether they spike.
NEURONS: Mapping[str, bool] = {
    "IF": True, "LIF": True, "CubaLIF": True, "Threshold": True, "I": False, "LI": False, "CubaLI": False,
}  # fmt: skip

_LONGEST_DELAY = 100_000


@dataclass(frozen=True)
class _Reading:
    """What the file does not say."""

    dt_s: float
    reset: Reset
    at_threshold: bool
    recurrent_delay: int
    layer_delay: int
    integration: Integration


@dataclass(frozen=True)
class _Part:
    """A layer in the making, and the signal that its neurons take up; None for an input."""

    name: str
    shape: Shape
    dynamics: Neurons | None = None
    signal: Signal | None = None


def read(
    path: str | Path,
    *,
    dt_s: float = 1e-4,
    reset: Reset = "value",
    at_threshold: bool = False,
    recurrent_delay: int = 1,
    layer_delay: int = 0,
    integration: Integration = "euler",
    steps: int = 1,
    rates: Rates = 0.0,
    name: str | None = None,
) -> SpikingNetwork:
    """Network of a NIR file.

    - `dt_s`: time step, s. snnTorch exports for 1e-4; a wrong one changes every decay.
    - `reset`: what a spike does: "value" sets the potential to `v_reset`; "subtract" takes the threshold off in the
      next step, after the decay (snnTorch's default, which a file cannot say); "subtract-now" takes it off at once. A
      Threshold node has no state to reset.
    - `at_threshold`: fire at v >= threshold instead of v > threshold.
    - `recurrent_delay`: steps that an edge takes that closes a cycle.
    - `layer_delay`: steps that spikes take from one layer of neurons to the next, beside Delay nodes; 0: they arrive in
      the same step. Inputs arrive at once.
    - `integration`: "euler", forward, or "exponential", exact for an input that is constant during a step.
    - `steps`, `rates`: of an inference, as for `SpikingNetwork.layered`; `name`: the file's unless given.

    Synapses are the weights other than 0 of a matrix, and all taps of a kernel. Raises NetworkError, in one line with
    file and node, for a missing or damaged file, an unknown node, shapes that do not fit, weights that are not finite,
    and what is larger than `MOST_NEURONS` or `MOST_SYNAPSES`.
    """
    where = Path(path).name
    label = Path(path).stem if name is None else name
    reading = _checked(where, _Reading(dt_s, reset, at_threshold, recurrent_delay, layer_delay, integration))
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused where it is used
        parts = _parts(where, _completed(where, load(path)), reading)
    layers = tuple(_layer(part) for part in parts)
    connections = _connections(parts, reading)
    count = whole_steps(label, steps)
    return SpikingNetwork(layers, connections, count, rate_table(label, rates, count, len(layers)), label)


def _checked(where: str, reading: _Reading) -> _Reading:
    for key, allowed in (("reset", RESETS), ("integration", INTEGRATIONS)):
        found = getattr(reading, key)
        if found not in allowed:
            raise NetworkError(f"{where}: found {key} {found!r}{nearest(str(found), allowed)}")
    if not (math.isfinite(reading.dt_s) and reading.dt_s > 0):
        raise NetworkError(f"{where}: found a time step of {reading.dt_s!r} s, want one above 0 s")
    for key in ("recurrent_delay", "layer_delay"):
        steps = getattr(reading, key)
        if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= _LONGEST_DELAY:
            raise NetworkError(
                f"{where}: found {key.replace('_', ' ')} {steps!r}, want whole steps from 0 to {_LONGEST_DELAY:,}"
            )
    return reading


# ------------------------------------------------------------ the graph


def _completed(where: str, graph: Graph) -> Graph:
    """The graph with an Input before each node that nothing leads to, and an Output behind each that leads nowhere."""
    if not graph.nodes:
        raise NetworkError(f"{where}: found a graph without nodes")
    met, left = {edge[1] for edge in graph.edges}, {edge[0] for edge in graph.edges}
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, node in graph.nodes.items():
        if node.kind != "Input" and name not in met:
            shape = shape_wanted(node)
            if shape is None:
                raise NetworkError(f"{node.where}: nothing leads to it, and it does not say the shape of its input")
            nodes[f"input_{name}"] = Node(node.where, "Input", {"shape": np.array(shape)})
            edges.append((f"input_{name}", name))
        if node.kind != "Output" and name not in left and node.kind not in NEURONS:
            nodes[f"output_{name}"] = Node(node.where, "Output", {})
            edges.append((name, f"output_{name}"))
    return Graph(nodes, edges)


def _neighbours(graph: Graph) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Nodes before and behind each node, by name."""
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    behind: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for sender, receiver in sorted(graph.edges):
        before[receiver].append(sender)
        behind[sender].append(receiver)
    return before, behind


def _walk(starts: Iterable[str], behind: Mapping[str, Sequence[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """Depth-first walk: nodes so that each comes after those that lead to it, and the edges that close cycles."""
    finished: list[str] = []
    closing: set[tuple[str, str]] = set()
    is_open: dict[str, bool] = {}
    for start in starts:
        path = [] if start in is_open else [(start, iter(behind[start]))]
        is_open.setdefault(start, True)
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                is_open[node] = False
                finished.append(node)
                path.pop()
            elif following not in is_open:
                is_open[following] = True
                path.append((following, iter(behind[following])))
            elif is_open[following]:
                closing.add((node, following))
    return finished[::-1], closing


def _parts(where: str, graph: Graph, reading: _Reading) -> list[_Part]:
    """Layers in the making: inputs, neurons, read-outs."""
    before, behind = _neighbours(graph)
    inputs = sorted(name for name, node in graph.nodes.items() if node.kind == "Input" and not before[name])
    order, _ = _walk([*inputs, *sorted(graph.nodes)], behind)
    shapes, stages = _shaped(graph, order, reading.dt_s)
    sources = [name for name in order if name in inputs or graph.nodes[name].kind in NEURONS]
    signals = {name: Signal(shapes[name], (Term(name),)) for name in sources}
    for name in _linear_order(where, graph, set(sources), before):
        at = graph.nodes[name].where
        signals[name] = passed(at, summed(at, [signals[other] for other in before[name]]), stages[name])
    parts = [_Part(name, shapes[name]) for name in inputs]
    for name in order:
        node = graph.nodes[name]
        if node.kind in NEURONS:
            signal = summed(node.where, [signals[other] for other in before[name]])
            if signal.size != math.prod(shapes[name]):
                raise NetworkError(f"{node.where}: found an input of shape {signal.shape}, its own is {shapes[name]}")
            parts.append(_Part(name, shapes[name], _neurons(node, shapes[name], reading), signal))
        elif node.kind == "Output" and not behind[name] and not _plain(signals[name]):
            readout = Neurons(spiking=False)
            parts.append(_Part(name, signals[name].shape, readout, signals[name]))
    if len(parts) == len(inputs):
        raise NetworkError(f"{where}: found no neurons")
    return _sorted(parts)


def _plain(signal: Signal) -> bool:
    """Whether it is just what one layer sends."""
    first = signal.terms[0]
    return len(signal.terms) == 1 and first.steps == 0 and first.through is None and signal.constant is None


def _linear_order(where: str, graph: Graph, sources: set[str], before: Mapping[str, Sequence[str]]) -> list[str]:
    """Nodes that are no layers, each after those that lead to it."""
    linear = {name: [other for other in before[name] if other not in sources] for name in graph.nodes}
    try:
        return list(TopologicalSorter({name: linear[name] for name in linear if name not in sources}).static_order())
    except CycleError as error:
        names = " -> ".join(reversed(error.args[1]))
        raise NetworkError(f"{where}: {names} is a cycle without neurons") from None


def _shaped(graph: Graph, order: Sequence[str], dt_s: float) -> tuple[dict[str, Shape], dict[str, Stage]]:
    """Shape of what each node sends, and what each linear node does."""
    before, behind = _neighbours(graph)
    shapes: dict[str, Shape] = {}
    stages: dict[str, Stage] = {}
    for name in order:
        node = graph.nodes[name]
        found = next((shapes[other] for other in before[name] if other in shapes), None)
        if found is None:
            found = _first_shape(node, [graph.nodes[other] for other in behind[name]])
        if node.kind in NEURONS:
            shapes[name] = _neuron_shape(node, found)
        else:
            stages[name] = stage(node, found, dt_s)
            shapes[name] = stages[name].shape
        if min(shapes[name], default=1) < 1 or math.prod(shapes[name]) > MOST_NEURONS:
            raise NetworkError(f"{node.where}: found shape {shapes[name]}, want 1 to {MOST_NEURONS:,} numbers")
    return shapes, stages


def _first_shape(node: Node, behind: Sequence[Node]) -> Shape:
    """Input's shape of a node with nothing known before it: what it says itself, or what those behind it say."""
    said = [shape for shape in (shape_wanted(other) for other in (node, *behind)) if shape is not None]
    if not said:
        raise NetworkError(f"{node.where}: cannot tell the shape of its input")
    return next((shape for shape in said if shape), ())


def _neuron_shape(node: Node, found: Shape) -> Shape:
    """Shape of a layer: its input's, or that of its parameters where they tell more."""
    own = shape_wanted(node)
    same = own is not None and math.prod(own) == math.prod(found)
    return own if same and own is not None and len(own) >= len(found) else found


# ------------------------------------------------------------ layers


def _neurons(node: Node, shape: Shape, reading: _Reading) -> Neurons:
    """Step of a neuron node."""

    def each(key: str, default: float | None = None) -> FloatArray:
        given = default if default is not None and key not in node.given else number_array(node, key)
        return spread(given, shape, f"{node.where}: {key}")

    def tau_s(key: str) -> FloatArray:
        values = each(key)
        if values.min() <= 0.0:
            raise NetworkError(f"{node.where}: {key}: found {values.min():g}, want seconds above 0")
        if reading.integration == "euler" and values.min() < reading.dt_s / 2:
            raise NetworkError(
                f"{node.where}: {key}: found {values.min():g} s, unstable in steps of {reading.dt_s:g} s; want a time "
                f"step of at most {2.0 * values.min():g} s, or exponential integration"
            )
        return values

    kind, dt_s = node.kind, reading.dt_s
    if kind == "Threshold":
        return Neurons(threshold=each("threshold"), at_threshold=reading.at_threshold)
    rest: dict[str, object] = {"spiking": NEURONS[kind]}
    if NEURONS[kind]:
        rest |= {"threshold": each("v_threshold"), "v_reset": each("v_reset", 0.0)}
        rest |= {"reset": reading.reset, "at_threshold": reading.at_threshold}
    if kind in ("I", "IF"):
        return Neurons.integrating(dt_s, each("r"), **rest)
    if kind in ("CubaLI", "CubaLIF"):
        share = approach(dt_s, tau_s("tau_syn"), reading.integration)
        rest |= {"current_decay": 1.0 - share, "current_gain": share * each("w_in", 1.0)}
    tau = tau_s("tau" if kind in ("LI", "LIF") else "tau_mem")
    return Neurons.leaky(dt_s, tau, each("r"), each("v_leak"), reading.integration, **rest)


def _sorted(parts: Sequence[_Part]) -> list[_Part]:
    """Inputs by name; then each layer after those that lead to it, cycles left aside, and by name."""
    inputs = [part.name for part in parts if part.signal is None]
    behind = _followers(parts)
    _, closing = _walk([*inputs, *sorted(part.name for part in parts)], behind)
    before: dict[str, set[str]] = {part.name: set() for part in parts}
    for sender, receivers in behind.items():
        for receiver in receivers:
            if (sender, receiver) not in closing:
                before[receiver].add(sender)
    named = {part.name: part for part in parts}
    made = [named[name] for name in inputs]
    sorter = TopologicalSorter(before)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        made += [named[name] for name in ready if named[name].signal is not None]
        sorter.done(*ready)
    return made


def _followers(parts: Sequence[_Part], *, at_once: bool = False) -> dict[str, list[str]]:
    """Layers that take up what each sends; with `at_once`, only where no Delay node lies between."""
    behind: dict[str, set[str]] = {part.name: set() for part in parts}
    for part in parts:
        for term in part.signal.terms if part.signal else ():
            if term.steps == 0 or not at_once:
                behind[term.layer].add(part.name)
    return {name: sorted(others) for name, others in behind.items()}


def _layer(part: _Part) -> Layer:
    """Channels are the first dimension, rows and columns the last two; any others count as channels."""
    channels, height, width = 1, 1, 1
    if len(part.shape) == 1:
        channels = part.shape[0]
    elif len(part.shape) == 2:
        channels, width = part.shape
    elif part.shape:
        channels, height, width = math.prod(part.shape[:-2]), *part.shape[-2:]
    bias = None if part.signal is None else part.signal.constant
    if bias is not None and not bias.any():
        bias = None
    return Layer(
        channels, height, width, name=part.name, is_input=part.signal is None, dynamics=part.dynamics, bias=bias
    )  # fmt: skip


def _connections(parts: Sequence[_Part], reading: _Reading) -> tuple[Connection, ...]:
    """Every term of every layer's signal as a connection."""
    number = {part.name: index for index, part in enumerate(parts)}
    inputs = {part.name for part in parts if part.signal is None}
    _, closing = _walk(number, _followers(parts, at_once=True))
    made: list[Connection] = []
    for part in parts:
        for term in part.signal.terms if part.signal else ():
            if term.steps == 0 and (term.layer, part.name) in closing:
                delay = reading.recurrent_delay
            else:
                delay = term.steps + (0 if term.layer in inputs else reading.layer_delay)
            through = term.through or one_to_one(np.ones(math.prod(part.shape)))
            made.append(replace(through, source=number[term.layer], target=number[part.name], delay=delay))
    return tuple(made)
