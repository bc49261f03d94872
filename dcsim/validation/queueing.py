"""Area `queueing`: queues with an exact answer, through the real simulator.

A metric passes when it lies within 3 standard errors of the exact value and within 2 % of it (5 % from rho =
0.9 on or where the service times vary more than exponential ones).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from dcsim.errors import nearest
from dcsim.validation import queueing_theory as theory
from dcsim.validation.case import Area, Case, CaseError, Effort, Heading, NonNegative, Part, Positive
from dcsim.validation.queueing_runs import Queue, jobs_wanted, measure
from dcsim.validation.report import Row, compare

STANDARD_ERRORS = 3.0

Bounded = Annotated[Positive, Field(ge=1e-9, le=1e9)]
Servers = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[Positive, Field(le=1.0)]


class Document(Heading):
    """A file of kind `queueing`."""

    checked: str = ""
    tolerance: Share | None = None
    """relative; instead of 2 % and 5 %"""
    cases: Annotated[dict[str, Annotated[list[dict[str, Any]], Field(max_length=200)]], Field(min_length=1)]
    """section -> queues"""


class Mmc(Part):
    """Exponential service on c servers; every metric that is given is compared."""

    lam: Bounded
    mu: Bounded
    c: Servers
    rho: NonNegative | None = None
    P_wait: NonNegative | None = None
    Wq: NonNegative | None = None
    W: NonNegative | None = None
    Lq: NonNegative | None = None
    L: NonNegative | None = None
    p95_wait: NonNegative | None = None

    def queue(self) -> Queue:
        """The queue that it describes."""
        return Queue(self.lam, 1.0 / self.mu, self.c)

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"M/M/{self.c} rho {self.queue().load:.3g}"


class ErlangB(Part):
    """c servers without a queue at offered load a."""

    a: Bounded
    c: Servers
    B: NonNegative

    def queue(self) -> Queue:
        """The queue that it describes, with a service time of 1 s."""
        return Queue(self.a, 1.0, self.c, loss=True)

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"M/M/{self.c}/{self.c} a {self.a:g}"


class Mg1(Part):
    """One server whose service times have a given variation."""

    lam: Bounded
    ES: Bounded
    cv2: Annotated[NonNegative, Field(le=100.0)]
    rho: NonNegative | None = None
    Wq: NonNegative | None = None
    W: NonNegative | None = None

    def queue(self) -> Queue:
        """The queue that it describes."""
        return Queue(self.lam, self.ES, 1, cv2=float(self.cv2))

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"M/G/1 rho {self.queue().load:.3g} cv2 {self.cv2:g}"


SECTIONS: dict[str, type[Mmc | ErlangB | Mg1]] = {"MMc": Mmc, "ErlangB": ErlangB, "MG1_FCFS": Mg1}

#: sections that are understood but need something that the simulator does not have yet
NEEDS = {
    "MG1_PS": "processor sharing",
    "MM1_SJF_nonpreemptive": "the policy shortest job first",
    "MM1_SRPT": "the policy shortest remaining time first",
    "MM1_priority_nonpreemptive": "priorities",
    "MM1_priority_preemptive_resume": "priorities with preemption",
    "MM1_setup_instantoff": "devices that switch off and set up",
    "GammaGI_M1": "gamma arrivals",
    "MMPP2_M_1": "modulated Poisson arrivals",
    "NHPP_sinusoid": "a sinusoidal arrival rate",
}


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one document of kind `queueing`: one per metric of every queue in it."""
    document = case.read(Document)
    for section, queues in document.cases.items():
        for index, given in enumerate(queues):
            where = f"{case.name} {section}[{index}]"
            if section in NEEDS:
                yield Row("queueing", where, "-", "skipped", note=f"needs {NEEDS[section]}")
            elif section not in SECTIONS:
                hint = nearest(section, [*SECTIONS, *NEEDS])
                yield Row("queueing", where, "-", "failed", note=f"cases: section {section[:60]!r}{hint}")
            else:
                yield from _queue_rows(Case(case.kind, where, given), section, document.tolerance, effort)


def _queue_rows(case: Case, section: str, tolerance: float | None, effort: Effort) -> Iterator[Row]:
    try:
        given = case.read(SECTIONS[section])
        queue = given.queue()
        if not queue.loss and queue.load >= 1:
            raise CaseError(f"rho is {queue.load:g}; a queue has a steady state only below 1")
    except CaseError as error:
        yield Row("queueing", case.name, "-", "failed", note=str(error))
        return
    name = given.label() if case.name.startswith("built-in") else f"{case.name} {given.label()}"
    wanted, granted = jobs_wanted(queue), effort.replications * queue.jobs(effort)
    if wanted > granted:
        yield Row(
            "queueing",
            name,
            "-",
            "skipped",
            note=f"needs {wanted:.2g} jobs to be measured; {granted:,} are simulated",
        )
        return
    expected = given.model_dump(exclude={"lam", "mu", "c", "a", "ES", "cv2"}, exclude_none=True)
    limit = tolerance or (0.05 if (queue.load >= 0.9 - 1e-9 and not queue.loss) or queue.cv2 > 1 else 0.02)
    for metric, value in expected.items():
        yield _compare(name, metric, value, limit, queue, effort)


def _compare(name: str, metric: str, expected: float, limit: float, queue: Queue, effort: Effort) -> Row:
    estimate = measure(queue, effort)[metric]
    low, high = estimate.interval()
    runs = f"{effort.replications} replications of {queue.jobs(effort):,} jobs"
    note = f"{runs}; 95 % interval {low:.6g} to {high:.6g}"
    noise = STANDARD_ERRORS * estimate.standard_error / (abs(expected) or 1.0)
    return compare("queueing", name, metric, expected, estimate.mean, min(limit, noise), note)


def builtin() -> Iterator[Case]:
    """M/M/c, Erlang B and M/G/1 with values from `queueing_theory`."""
    waits = [_mmc(0.8, 1.0, 1), _mmc(9.0, 1.0, 10), _mmc(57.6, 1.0, 64)]
    losses = [{"a": a, "c": c, "B": theory.erlang_b(a, c)} for a, c in ((8.0, 10), (60.0, 64), (100.0, 100))]
    general = [_mg1(0.7, 1.0, cv2) for cv2 in (0.0, 0.25)]
    body = {"kind": "queueing", "cases": {"MMc": waits, "ErlangB": losses, "MG1_FCFS": general}}
    yield Case("queueing", "built-in", body)


def _mmc(rate: float, service_rate: float, servers: int) -> dict[str, float]:
    exact = theory.mmc(rate, service_rate, servers)
    return {
        "lam": rate,
        "mu": service_rate,
        "c": servers,
        "rho": rate / service_rate / servers,
        "P_wait": exact.p_wait,
        "Wq": exact.wq_s,
        "W": exact.w_s,
        "Lq": exact.waiting,
        "L": exact.present,
        "p95_wait": exact.p95_wait_s or 0.0,
    }


def _mg1(rate: float, mean_s: float, cv2: float) -> dict[str, float]:
    exact = theory.mg1(rate, mean_s, cv2)
    return {"lam": rate, "ES": mean_s, "cv2": cv2, "rho": rate * mean_s, "Wq": exact.wq_s, "W": exact.w_s}


AREA = Area("queueing", {"queueing": check}, builtin)
