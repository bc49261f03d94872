"""The two yardsticks of `dcsim bench`: a bare heap loop, and the model as a SimPy tutorial would write it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any

import simpy


def heap_loop(arrival_s: list[float], service_s: list[float], devices: int) -> tuple[float, float]:
    """Jobs in order of arrival on equal devices, with callbacks and nothing else: no records, no power.

    The heap holds (time, sequence, function, argument); arrivals are pushed one ahead; free devices are a
    stack. Returns (time of the last event, sum of the waits) in s.
    """
    heap: list[tuple[float, int, Callable[[float, int], None], int]] = []
    free = list(range(devices))
    queue: deque[int] = deque()
    sequence = 0
    waited = 0.0
    count = len(arrival_s)

    def arrive(now: float, job: int) -> None:
        nonlocal sequence
        if job + 1 < count:
            sequence += 1
            heappush(heap, (arrival_s[job + 1], sequence, arrive, job + 1))
        if free:
            sequence += 1
            heappush(heap, (now + service_s[job], sequence, complete, free.pop()))
        else:
            queue.append(job)

    def complete(now: float, device: int) -> None:
        nonlocal sequence, waited
        if queue:
            job = queue.popleft()
            waited += now - arrival_s[job]
            sequence += 1
            heappush(heap, (now + service_s[job], sequence, complete, device))
        else:
            free.append(device)

    now = 0.0
    heap.append((arrival_s[0], sequence, arrive, 0))
    # not `while heap`: CPython 3.11 does not specialise a function that is entered once if its loop tests a condition
    while True:
        if not heap:
            break
        now, _, call, argument = heappop(heap)
        call(now, argument)
    return now, waited


class TutorialModel:
    """A process per job and a Store of devices, a record per job and the energy of every rack.

    Every device draws `idle_w`, and `busy_w` while it serves. Devices leave the Store in the order in which
    they came back, so that the racks share the load.
    """

    def __init__(
        self,
        arrival_s: list[float],
        service_s: list[float],
        racks: int,
        per_rack: int,
        idle_w: float,
        busy_w: float,
    ):
        self.env = simpy.Environment()
        self.store = simpy.Store(self.env)
        self.store.items = [(rack, slot) for slot in range(per_rack) for rack in range(racks)]
        self.arrival_s, self.service_s = arrival_s, service_s
        self.step_w = busy_w - idle_w
        self.power_w = [per_rack * idle_w] * racks
        self.energy_j = [0.0] * racks
        self.since_s = [0.0] * racks
        self.records: list[dict[str, Any]] = []

    def run(self) -> float:
        """Simulate to the last completion; returns its time, s."""
        self.env.process(self._source())
        self.env.run()
        for rack in range(len(self.power_w)):
            self._draw(rack, 0.0)
        return self.env.now

    def _source(self) -> Generator[simpy.Event, Any, None]:
        for job, moment in enumerate(self.arrival_s):
            yield self.env.timeout(moment - self.env.now)
            self.env.process(self._job(job))

    def _job(self, job: int) -> Generator[simpy.Event, Any, None]:
        env = self.env
        arrival = env.now
        device = yield self.store.get()
        rack = device[0]
        start = env.now
        self._draw(rack, self.step_w)
        yield env.timeout(self.service_s[job])
        self._draw(rack, -self.step_w)
        self.records.append({"job": job, "rack": rack, "arrival_s": arrival, "start_s": start, "end_s": env.now})
        yield self.store.put(device)

    def _draw(self, rack: int, step_w: float) -> None:
        now = self.env.now
        self.energy_j[rack] += self.power_w[rack] * (now - self.since_s[rack])
        self.since_s[rack] = now
        self.power_w[rack] += step_w
