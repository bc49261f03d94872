"""Jobs in order of submission on equal nodes, with SimPy and the power models of LEAF (PyPI: leafsim).

    python leaf_fifo.py TRACE.csv NODES IDLE_W BUSY_W

Needs only leafsim. LEAF has no queue, so the queue is written on SimPy with callbacks; its power meter
samples at intervals, so the energy is summed exactly whenever a node's power changes. Prints one line of
JSON; imports and reading the trace are not in the time.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import deque

import simpy
from leaf.application import ProcessingTask
from leaf.infrastructure import Node
from leaf.power import PowerModelNode


class Cluster:
    """Equal nodes of one compute unit, one job each."""

    def __init__(self, submit_s: list[float], run_s: list[float], nodes: int, idle_w: float, busy_w: float) -> None:
        self.env = simpy.Environment()
        self.submit_s, self.run_s = submit_s, run_s
        self.start_s = [0.0] * len(submit_s)
        self.nodes = [
            Node(f"node-{i}", cu=1, power_model=PowerModelNode(busy_w, static_power=idle_w)) for i in range(nodes)
        ]
        self.free = list(range(nodes))
        self.waiting: deque[int] = deque()
        self.energy_j = [0.0] * nodes
        self.since_s = [0.0] * nodes

    def run(self) -> float:
        """Simulate to the last completion; returns its time."""
        self.env.process(self._submit())
        self.env.run()
        for node in range(len(self.nodes)):
            self._meter(node)
        return self.env.now

    def _submit(self):
        for job, moment in enumerate(self.submit_s):
            if moment > self.env.now:
                yield self.env.timeout(moment - self.env.now)
            if self.free:
                self._start(job, self.free.pop())
            else:
                self.waiting.append(job)

    def _start(self, job: int, node: int) -> None:
        self._meter(node)
        task = ProcessingTask(cu=1)
        task.allocate(self.nodes[node])
        self.start_s[job] = self.env.now
        self.env.timeout(self.run_s[job], (task, node)).callbacks.append(self._complete)

    def _complete(self, event: simpy.Event) -> None:
        task, node = event.value
        self._meter(node)
        task.deallocate()
        if self.waiting:
            self._start(self.waiting.popleft(), node)
        else:
            self.free.append(node)

    def _meter(self, node: int) -> None:
        now = self.env.now
        self.energy_j[node] += float(self.nodes[node].measure_power()) * (now - self.since_s[node])
        self.since_s[node] = now


def main() -> None:
    """Read the trace, simulate, print."""
    path, nodes, idle_w, busy_w = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    submit_s, run_s = ([float(row[column]) for row in rows] for column in ("submit_s", "run_s"))
    begin = time.perf_counter()
    cluster = Cluster(submit_s, run_s, nodes, idle_w, busy_w)
    makespan_s = cluster.run()
    waits = [start - submit for start, submit in zip(cluster.start_s, submit_s, strict=True)]
    answer = {
        "makespan_s": makespan_s,
        "mean_wait_s": sum(waits) / len(waits),
        "energy_J": sum(cluster.energy_j),
    }
    print(json.dumps({"seconds": time.perf_counter() - begin, "jobs": len(waits), **answer}))


if __name__ == "__main__":
    main()
