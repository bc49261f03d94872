"""Time of a step message by message: generation, queues in the mesh, blocked senders, serial receivers.

The algorithm is the "detailed" timing of SANA-FE 2.2.9 (Boyle et al., IEEE TCAD 2025), written anew from its
description. Each core visits its neurons in order and sends the messages of each spike one after the other. A message
that is under way adds 1 / (hops + 2) to a counter in each tile that it passes: the sender's own in the first tile, that
of its direction of travel in the others. What it finds there delays it, and blocks its sender beyond a buffer:

    block = max(0, flow - buffer (hops + 1)) mean        delay = max(time of its hops, flow mean / (hops + 1))

with `flow` the sum of its counters and `mean` the mean time that the messages under way take at their receivers. A
receiver takes one message at a time. Every step starts with an empty mesh. With numba installed, `_simulate` runs
compiled; the result is the same.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.chip.mesh import routes
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Reach, Wiring
from dcsim.service import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

#: Steps that are simulated in one go.
_AT_ONCE = 64


class Traffic(NamedTuple):
    """N neurons, M pairs of a neuron and a core that its spikes reach, R routes between tiles, C cores by number."""

    neurons: IntArray
    """neurons in order of core and number, shape (N,)"""
    begins: IntArray
    """place of each core's first neuron in `neurons`, and N at the end; shape (C + 1,)"""
    paid: npt.NDArray[np.uint8]
    """0 for inputs, else 1; shape (N,)"""
    messages: IntArray
    """number of each neuron's first message, and M at the end; shape (N + 1,)"""
    target: IntArray
    """core that each message goes to, shape (M,)"""
    work_s: FloatArray
    """time that each message takes at its receiver, shape (M,)"""
    route: IntArray
    """route of each message, shape (M,)"""
    first: IntArray
    """as in `mesh.Routes`, shape (R + 1,)"""
    link: IntArray
    hops_s: FloatArray
    """time that a message takes on each route in an empty mesh, shape (R,)"""


class MessageTimes(NamedTuple):
    """Seconds of each step, all of shape (J, T)."""

    seconds: FloatArray
    """cores and mesh, until the last message is processed; the barrier is not in it"""
    blocked_s: FloatArray
    """time that senders were blocked, summed over messages"""
    queued_s: FloatArray
    """time that messages waited for their receivers, summed over messages"""


def traffic(wiring: Wiring, reach: Reach, chip: ChipSpec, learning: float = 0.0) -> Traffic:
    """What can be prepared of a placed network; `learning`: share of synaptic operations that change their synapse."""
    order = np.argsort(wiring.cores, kind="stable")
    number = np.argsort(order)  # cores in ascending order of their numbers; the port comes first
    core = number[wiring.core[wiring.group]]
    synapses = reach.synapses.copy()
    synapses.indices = number[synapses.indices].astype(synapses.indices.dtype)
    synapses.has_sorted_indices = False
    synapses.sort_indices()
    source = np.repeat(core, np.diff(synapses.indptr))
    at_x, at_y, chip_x, chip_y = (position[order] for position in wiring.at)
    rows, tiles = int(at_y.max()) + 1, (int(at_x.max()) + 1) * (int(at_y.max()) + 1)
    tile = at_x * rows + at_y
    _, where, route = np.unique(tile[source] * tiles + tile[synapses.indices], return_index=True, return_inverse=True)
    ends = np.stack([source[where], synapses.indices[where]])
    found = routes(at_x[ends], at_y[ends], rows)
    hop_x, hop_y, cross_x, cross_y = (np.ptp(p[ends], 0) for p in (at_x, at_y, chip_x, chip_y))
    cost = chip.costs
    synapse_s = wiring.synapse_s[order] + learning * cost.learning_s
    hops_s = hop_x * _decimal(cost.hop_ew_s) + hop_y * _decimal(cost.hop_ns_s)
    hops_s += (cross_x + cross_y) * cost.chip_crossing_s
    return Traffic(
        neurons=np.argsort(core, kind="stable"),
        begins=np.concatenate([[0], np.cumsum(np.bincount(core, minlength=len(order)))]),
        paid=(wiring.paid[wiring.group] > 0.0).astype(np.uint8),
        messages=synapses.indptr.astype(np.int64),
        target=synapses.indices.astype(np.int64),
        work_s=_work_s(cost.receive_s, synapse_s[synapses.indices], synapses.data),
        route=route.reshape(-1).astype(np.int64),
        first=found.first.astype(np.int64),
        link=found.link.astype(np.int64),
        hops_s=hops_s,
    )


def _work_s(receive_s: float, synapse_s: FloatArray, synapses: IntArray) -> FloatArray:
    """Time of messages at their receivers, added up synapse by synapse."""
    work_s = np.empty(len(synapses))
    for each_s in np.unique(synapse_s):
        alike = synapse_s == each_s
        steps_s = np.full(int(synapses[alike].max()) + 1, _decimal(each_s))
        steps_s[0] = _decimal(receive_s)
        work_s[alike] = np.cumsum(steps_s)[synapses[alike]]
    return work_s


def _decimal(seconds: float) -> float:
    """A time without the rounding of its unit: sums that are equal on paper have to be equal, or the order changes."""
    return float(f"{seconds:.15g}")


def message_times(spikes: BoolArray, updated: BoolArray | str, traffic: Traffic, chip: ChipSpec) -> MessageTimes:
    """Time of each step of `spikes` (J, T, N). `updated`: "all" neurons, those that "fired", or which (J, T, N)."""
    samples, steps, neurons = spikes.shape
    raster = np.ascontiguousarray(spikes).view(np.uint8).reshape(-1, neurons)
    if isinstance(updated, str):
        changed = raster if updated == "fired" else np.ones_like(raster)
    else:
        changed = np.ascontiguousarray(updated).view(np.uint8).reshape(-1, neurons)
    cost = chip.costs
    buffer = math.inf if chip.link_buffer is None else chip.link_buffer
    seconds = np.array([_decimal(s) for s in (cost.access_s, cost.update_s, cost.spike_s, cost.packet_s, buffer)])
    links, cores = int(traffic.link.max(initial=-1)) + 1, len(traffic.begins) - 1
    parts = []
    run, fixed = _runner((seconds, *traffic))
    for start in range(0, len(raster), _AT_ONCE):  # between two parts a run can be interrupted
        some = slice(start, start + _AT_ONCE)
        room = np.zeros(links + cores), np.zeros(cores), np.zeros((3, len(raster[some])))
        parts.append(run((raster[some], changed[some]), fixed, room))
    return MessageTimes(*np.concatenate(parts, axis=1).reshape(3, samples, steps))


def _runner(fixed: Sequence[Any]) -> tuple[Callable[..., FloatArray], Sequence[Any]]:
    """What simulates some steps and gives their times, (3, steps), and `fixed` in the form that it reads."""
    if (machine_code := _compiled()) is None:  # lists are quicker to index than arrays, where Python does it
        return _in_python, [array.tolist() for array in fixed]

    def in_machine_code(activity: Sequence[Any], fixed: Sequence[Any], room: Sequence[Any]) -> FloatArray:
        machine_code(*activity, *fixed, *room)
        times: FloatArray = room[-1]
        return times

    return in_machine_code, fixed


def _in_python(activity: Sequence[Any], fixed: Sequence[Any], room: Sequence[Any]) -> FloatArray:
    own = [array.tolist() for array in room]
    _simulate(*(array.tolist() for array in activity), *fixed, *own)
    return np.array(own[-1])


def compiled() -> bool:
    """Whether numba is there to compile the simulation."""
    return _compiled() is not None


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., None] | None:
    """`_simulate` as machine code, kept beside the module's byte code where that is kept; None without numba."""
    try:
        import numba
    except ImportError:
        return None
    for part in (_entries, _push, _pop, _flow, _occupy):
        numba.extending.register_jitable(part)
    try:
        machine_code: Callable[..., None] = numba.njit(cache=not sys.dont_write_bytecode)(_simulate)
    except RuntimeError:  # no folder to keep it in
        machine_code = numba.njit(_simulate)
    return machine_code


def _simulate(
    raster: Any,
    changed: Any,
    seconds: Any,
    neurons: Any,
    begins: Any,
    paid: Any,
    messages: Any,
    target: Any,
    work_s: Any,
    route: Any,
    first: Any,
    link: Any,
    hops_s: Any,
    counter: Any,
    free_s: Any,
    times: Any,
) -> None:
    """Fill `times` (3, steps). `counter` (links + cores) and `free_s` (cores) are room to work in."""
    cores, links, buffer = len(free_s), len(counter) - len(free_s), seconds[4]
    for step in range(len(raster)):
        after_s, sent, following = _entries(raster[step], changed[step], seconds, neurons, begins, paid, messages)
        # entries by time at which they are due: (time, core, entry); messages under way by time of their reception
        due, way = [(0.0, 0, 0)], [(0.0, 0, 0)]
        due.clear()
        way.clear()
        for core in range(cores):
            free_s[core] = 0.0
            if following[core] < following[core + 1]:
                _push(due, (after_s[following[core]], core, following[core]))
        for number in range(len(counter)):
            counter[number] = 0.0
        end_s = mean = blocked_s = queued_s = 0.0
        while len(due) > 0:
            now, core, entry = _pop(due)
            end_s = max(end_s, now)
            while len(way) > 0 and way[0][0] <= now:
                _, sender, message = _pop(way)
                begin, end = first[route[message]], first[route[message] + 1]
                _occupy(counter, links + sender, link, begin, end, -1.0 / (end - begin + 2))
                mean = mean + (mean - work_s[message]) / len(way) if len(way) > 0 else 0.0
            message = sent[entry]
            if message >= 0:
                begin, end = first[route[message]], first[route[message] + 1]
                flow = _flow(counter, links + core, link, begin, end)
                block = max(0.0, flow - (end - begin + 1) * buffer) * mean
                now += block
                arrival = now + max(hops_s[route[message]], flow * mean / (end - begin + 1))
                received = max(free_s[target[message]], arrival)
                free_s[target[message]] = received + work_s[message]
                end_s = max(end_s, received + work_s[message])
                blocked_s += block
                queued_s += received - arrival
                _occupy(counter, links + core, link, begin, end, 1.0 / (end - begin + 2))
                mean += (work_s[message] - mean) / (len(way) + 1)
                _push(way, (received, core, message))
            if entry + 1 < following[core + 1]:
                end_s = max(end_s, now + after_s[entry + 1])
                _push(due, (now + after_s[entry + 1], core, entry + 1))
        times[0][step], times[1][step], times[2][step] = end_s, blocked_s, queued_s


def _entries(
    fired: Any, changed: Any, seconds: Any, neurons: Any, begins: Any, paid: Any, messages: Any
) -> tuple[list[float], list[int], list[int]]:
    """What the cores do in a step: time since the entry before, its message, and first entry of each core.

    Work after the last message is an entry with message -1.
    """
    access_s, update_s, spike_s, packet_s = seconds[0], seconds[1], seconds[2], seconds[3]
    after_s, sent, following = [0.0], [-1], [1]  # the first entries say what the lists hold
    for core in range(len(begins) - 1):
        spent = 0.0
        for place in range(begins[core], begins[core + 1]):
            neuron = neurons[place]
            if paid[neuron]:
                taken = access_s
                if changed[neuron] or fired[neuron]:
                    taken += update_s
                if fired[neuron]:
                    taken += spike_s
                spent += taken
            if fired[neuron]:
                for message in range(messages[neuron], messages[neuron + 1]):
                    after_s.append(spent + packet_s)
                    sent.append(message)
                    spent = 0.0
        if spent > 0.0:
            after_s.append(spent)
            sent.append(-1)
        following.append(len(sent))
    return after_s, sent, following


def _flow(counter: Any, own: Any, link: Any, begin: Any, end: Any) -> Any:
    """Sum of the counters along a route."""
    flow = counter[own]
    for place in range(begin, end):
        flow += counter[link[place]]
    return flow


def _occupy(counter: Any, own: Any, link: Any, begin: Any, end: Any, share: float) -> None:
    """Add a share to the counters along a route."""
    counter[own] += share
    for place in range(begin, end):
        counter[link[place]] += share


# A binary heap as the C++ standard library has it, because SANA-FE leaves the order of equal times to it. Items are
# tuples that begin with a time.


def _push(heap: Any, item: Any) -> None:
    heap.append(item)
    hole = len(heap) - 1
    while hole > 0 and heap[(hole - 1) // 2][0] > item[0]:
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = item


def _pop(heap: Any) -> Any:
    top, item = heap[0], heap.pop()
    size, hole = len(heap), 0
    if size == 0:
        return top
    while hole < (size - 1) // 2:  # the hole sinks to the bottom
        child = 2 * hole + 2
        if heap[child][0] > heap[child - 1][0]:
            child -= 1
        heap[hole] = heap[child]
        hole = child
    if 2 * hole + 2 == size:
        heap[hole] = heap[size - 1]
        hole = size - 1
    while hole > 0 and heap[(hole - 1) // 2][0] > item[0]:  # and the last item rises from there
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = item
    return top
