"""Area `queueing`: queues with an exact answer, through the real simulator.

A metric passes when it lies within 3 standard errors of the exact value and within 2 % of it (5 % from rho =
0.9 on or where service times or arrivals vary more than exponential ones).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dcsim.errors import nearest
from dcsim.validation import queueing_theory as theory
from dcsim.validation.case import Area, Case, CaseError, Effort, Heading, NonNegative, Part, Positive
from dcsim.validation.queueing_counts import SinusoidCounts
from dcsim.validation.queueing_runs import STANDARD_ERRORS, Arrivals, Estimate, Queue, jobs_wanted, measure
from dcsim.validation.report import Row, compare
from dcsim.workload.arrivals.mmpp import States

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

    GIVEN: ClassVar[frozenset[str]] = frozenset({"lam", "mu", "c"})
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

    GIVEN: ClassVar[frozenset[str]] = frozenset({"a", "c"})
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

    GIVEN: ClassVar[frozenset[str]] = frozenset({"lam", "ES", "cv2"})
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


class GammaM1(Part):
    """Gamma gaps and exponential service on one server; an arrival finds it busy with probability sigma."""

    GIVEN: ClassVar[frozenset[str]] = frozenset({"lam", "mu", "cv"})
    lam: Bounded
    mu: Bounded
    cv: Annotated[Positive, Field(ge=0.01, le=100.0)]
    sigma: NonNegative | None = None
    rho: NonNegative | None = None
    Wq: NonNegative | None = None
    W: NonNegative | None = None
    Lq: NonNegative | None = None
    L: NonNegative | None = None

    def queue(self) -> Queue:
        """The queue that it describes."""
        return Queue(self.lam, 1.0 / self.mu, 1, arrivals=Arrivals(cv=float(self.cv)))

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"Gamma/M/1 rho {self.queue().load:.3g} cv {self.cv:g}"


class MmppM1(Part):
    """Arrivals at rate l1 or l2, which change at rates r12 and r21, and exponential service on one server."""

    GIVEN: ClassVar[frozenset[str]] = frozenset({"l1", "l2", "r12", "r21", "mu"})
    l1: Annotated[NonNegative, Field(le=1e9)]
    l2: Annotated[NonNegative, Field(le=1e9)]
    r12: Bounded
    r21: Bounded
    mu: Bounded
    lam_mean: NonNegative | None = None
    rho: NonNegative | None = None
    Wq: NonNegative | None = None
    W: NonNegative | None = None
    Lq: NonNegative | None = None
    L: NonNegative | None = None
    IDC_inf: NonNegative | None = None

    def queue(self) -> Queue:
        """The queue that it describes."""
        if not self.l1 + self.l2:
            raise CaseError("l1 and l2 are 0; want arrivals in one state at least")
        rate = (self.l1 * self.r21 + self.l2 * self.r12) / (self.r12 + self.r21)
        return Queue(rate, 1.0 / self.mu, 1, arrivals=Arrivals(switched=(self.l1, self.l2, self.r12, self.r21)))

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"MMPP/M/1 rho {self.queue().load:.3g} rates {self.l1:g}, {self.l2:g}"


SECTIONS: dict[str, type[Mmc | ErlangB | Mg1 | GammaM1 | MmppM1]] = {
    "MMc": Mmc,
    "ErlangB": ErlangB,
    "MG1_FCFS": Mg1,
    "GammaGI_M1": GammaM1,
    "MMPP2_M_1": MmppM1,
}

#: section whose arrivals are only counted
COUNTS = "NHPP_sinusoid"

#: sections that are understood but need something that the simulator does not have yet
NEEDS = {
    "MG1_PS": "processor sharing",
    "MM1_SJF_nonpreemptive": "the policy shortest job first",
    "MM1_SRPT": "the policy shortest remaining time first",
    "MM1_priority_nonpreemptive": "priorities",
    "MM1_priority_preemptive_resume": "priorities with preemption",
    "MM1_setup_instantoff": "devices that switch off and set up",
}


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one document of kind `queueing`: one per metric of every queue in it."""
    document = case.read(Document)
    for section, queues in document.cases.items():
        for index, given in enumerate(queues):
            where = f"{case.name} {section}[{index}]"
            if section in NEEDS:
                yield Row("queueing", where, "-", "skipped", note=f"needs {NEEDS[section]}")
            elif section == COUNTS:
                yield from _count_rows(Case(case.kind, where, given), document.tolerance, effort)
            elif section not in SECTIONS:
                hint = nearest(section, [*SECTIONS, COUNTS, *NEEDS])
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
    expected = given.model_dump(exclude=set(given.GIVEN), exclude_none=True)
    varied = max(queue.cv2, queue.arrivals.dispersion) > 1 + 1e-9
    limit = tolerance or (0.05 if (queue.load >= 0.9 - 1e-9 and not queue.loss) or varied else 0.02)
    for metric, value in expected.items():
        yield _compare(name, metric, value, limit, queue, effort)


def _count_rows(case: Case, tolerance: float | None, effort: Effort) -> Iterator[Row]:
    try:
        given = case.read(SinusoidCounts)
        runs = given.runs(effort)
    except CaseError as error:
        yield Row("queueing", case.name, "-", "failed", note=str(error))
        return
    name = given.label() if case.name.startswith("built-in") else f"{case.name} {given.label()}"
    if runs is None:
        yield Row("queueing", name, "-", "skipped", note=given.too_much(effort))
        return
    for metric, found in given.measure(runs).items():
        yield _row(name, metric, getattr(given, metric), tolerance or 0.02, found, f"{runs} runs of {given.T:g} s")


def _compare(name: str, metric: str, expected: float, limit: float, queue: Queue, effort: Effort) -> Row:
    runs = f"{effort.replications} replications of {queue.jobs(effort):,} jobs"
    return _row(name, metric, expected, limit, measure(queue, effort)[metric], runs)


def _row(name: str, metric: str, expected: float, limit: float, estimate: Estimate, runs: str) -> Row:
    low, high = estimate.interval()
    note = f"{runs}; 95 % interval {low:.6g} to {high:.6g}"
    noise = STANDARD_ERRORS * estimate.standard_error / (abs(expected) or 1.0)
    return compare("queueing", name, metric, expected, estimate.mean, min(limit, noise), note)


def builtin() -> Iterator[Case]:
    """M/M/c, Erlang B, M/G/1, Gamma/M/1 and MMPP/M/1 with values from `queueing_theory`; counts of a day."""
    waits = [_mmc(0.8, 1.0, 1), _mmc(9.0, 1.0, 10), _mmc(57.6, 1.0, 64)]
    losses = [{"a": a, "c": c, "B": theory.erlang_b(a, c)} for a, c in ((8.0, 10), (60.0, 64), (100.0, 100))]
    general = [_mg1(0.7, 1.0, cv2) for cv2 in (0.0, 0.25)]
    bursts = [_gamma_m1(0.7, 1.0, cv) for cv in (0.5, 2.0)]
    switched = [_mmpp_m1(1.2, 0.2, 0.1, 0.1, 1.0)]
    day = [SinusoidCounts.expected(0.1, 0.6, 21_600.0, 86_400.0)]
    sections = {"MMc": waits, "ErlangB": losses, "MG1_FCFS": general}
    varied = {"GammaGI_M1": bursts, "MMPP2_M_1": switched, COUNTS: day}
    body = {"kind": "queueing", "cases": sections | varied}
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


def _gamma_m1(rate: float, service_rate: float, cv: float) -> dict[str, float]:
    exact = theory.gamma_m1(rate, service_rate, cv)
    return {"lam": rate, "mu": service_rate, "cv": cv, "sigma": exact.p_wait, "Wq": exact.wq_s, "W": exact.w_s}


def _mmpp_m1(
    first: float, second: float, leave_first: float, leave_second: float, service_rate: float
) -> dict[str, float]:
    states = States.of([first, second], [[0.0, leave_first], [leave_second, 0.0]])
    exact = theory.mmpp_m1(states, service_rate)
    given = {"l1": first, "l2": second, "r12": leave_first, "r21": leave_second, "mu": service_rate}
    dispersion = Arrivals(switched=(first, second, leave_first, leave_second)).dispersion
    return given | {"lam_mean": states.mean_hz, "L": exact.present, "W": exact.w_s, "IDC_inf": dispersion}


AREA = Area("queueing", {"queueing": check}, builtin)
