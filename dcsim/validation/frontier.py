"""Kind `frontier_power`: a supercomputer through its chain of converters, by the facility's own functions.

The machine is described in words, as in the cases that ExaDigiT RAPS (version 6c142bf) was run for; the
numbers are read from them. node -> on-board converter -> rectifier shared by a few nodes and a switch ->
(beside them) the coolant distribution units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from dcsim.facility.power import LinearConverter
from dcsim.validation.case import Case, CaseError, Effort, Heading, NonNegative, Part, Positive
from dcsim.validation.report import Row, compare


class Input(Part):
    """The machine in words; see `SYSTEM`, `NODE` and `LOSSES` for the form."""

    system: Annotated[str, Field(max_length=1_000)]
    node: Annotated[str, Field(max_length=1_000)]
    losses: Annotated[str, Field(max_length=1_000)]
    util: Annotated[str, Field(max_length=1_000)] = "idle"


class Document(Heading):
    """A case of kind `frontier_power`."""

    input: Input
    expected: Annotated[dict[str, Positive], Field(min_length=1)]
    tolerance: NonNegative
    """relative"""


_N = r"(\d+(?:\.\d+)?)"
SYSTEM = re.compile(
    rf"{_N} nodes.*?{_N} nodes \+ {_N} switch(?:es)? \({_N} W\) per rectifier, "
    rf"{_N} rectifiers, {_N} CDUs x {_N} W"
)
NODE = re.compile(rf"{_N} CPU {_N}/{_N} W, {_N} GPU {_N}/{_N} W, mem {_N} W, {_N} NIC x {_N} W, NVMe {_N} W")
LOSSES = re.compile(rf"SIVOC in=\(out\+{_N}\)/{_N} per node; rectifier in=\(out\+{_N}\)/{_N} per rectifier")
UTIL = re.compile(rf"all CPUs and GPUs {_N} %")


@dataclass(frozen=True)
class Machine:
    """What the words say."""

    nodes: float
    switches_per_rectifier: float
    switch_w: float
    rectifiers: int
    cooling_w: float
    """all coolant distribution units, W"""
    idle_w: float
    """a node's parts at utilisation 0, W"""
    max_w: float
    """a node's parts at utilisation 1, W"""
    board: LinearConverter
    rectifier: LinearConverter

    def power_w(self, utilisation: float) -> tuple[float, float]:
        """(power of the whole machine, loss in its converters) in W."""
        node_w = self.idle_w + utilisation * (self.max_w - self.idle_w)
        shared_w = self.nodes / self.rectifiers * float(self.board.input_w(node_w, math.inf))
        switches_w = self.switches_per_rectifier * self.switch_w
        rectified_w = self.rectifiers * float(self.rectifier.input_w(shared_w + switches_w, math.inf))
        useful_w = self.nodes * node_w + self.rectifiers * switches_w
        return rectified_w + self.cooling_w, rectified_w - useful_w


def machine(given: Input) -> Machine:
    """Read the words; raises CaseError with the part that is not in the known form."""
    nodes, _, switches, switch_w, rectifiers, cdus, cdu_w = _numbers(SYSTEM, given.system, "system")
    cpus, cpu_idle, cpu_max, gpus, gpu_idle, gpu_max, memory, nics, nic_w, nvme = _numbers(NODE, given.node, "node")
    board_c, board_eta, rect_c, rect_eta = _numbers(LOSSES, given.losses, "losses")
    if not 1 <= rectifiers <= 1e9:
        raise CaseError(f"input.system: {rectifiers:g} rectifiers; allowed 1 to 1e9")
    constant = memory + nics * nic_w + nvme
    return Machine(
        nodes,
        switches,
        switch_w,
        int(rectifiers),
        cdus * cdu_w,
        cpus * cpu_idle + gpus * gpu_idle + constant,
        cpus * cpu_max + gpus * gpu_max + constant,
        LinearConverter(board_c, board_eta, "on-board converter"),
        LinearConverter(rect_c, rect_eta, "rectifier"),
    )


def _numbers(pattern: re.Pattern[str], text: str, part: str) -> list[float]:
    match = pattern.search(text)
    if match is None:
        raise CaseError(f"input.{part}: not in the form that kind frontier_power knows, found {text[:60]!r}")
    return [float(group) for group in match.groups()]


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case: mean power, loss and efficiency as expected, each in the digits that RAPS prints."""
    del effort
    document = case.read(Document)
    given = document.input
    share = 0.0 if given.util == "idle" else _numbers(UTIL, given.util, "util")[0] / 100
    if share > 1:
        raise CaseError(f"input.util: {100 * share:g} %; allowed 0 to 100 %")
    total_w, loss_w = machine(given).power_w(share)
    metrics = {
        "avg_power_MW": total_w / 1e6,
        "loss_MW": loss_w / 1e6,
        "efficiency_pct": 100 * (1 - loss_w / total_w),
    }
    for metric, expected in document.expected.items():
        if metric in metrics:
            yield compare("datacenter", case.name, metric, expected, metrics[metric], document.tolerance, printed=True)
        else:
            yield Row(
                "datacenter",
                case.name,
                metric,
                "skipped",
                expected,
                note=f"metric {metric[:60]!r} is not computed",
            )
