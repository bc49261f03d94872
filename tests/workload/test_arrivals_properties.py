"""Whatever the parameters: moments in order, inside the run, the same each time; or one line that says why not."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim import catalog, workload
from dcsim.errors import DcsimError
from dcsim.scenario.streams import Stream

CATALOG = catalog.load()
DURATION_S = 100.0


def quantity(low, high, unit):
    return st.floats(low, high, allow_subnormal=False).map(lambda value: f"{value!r}{unit}")


def kind(name, **keys):
    return st.fixed_dictionaries({"kind": st.just(name)} | keys)


RATE = quantity(1e-3, 200.0, "/s")
TIME = quantity(1e-3, 1e4, " s")
VARIATION = st.floats(0.01, 100.0)
HOURS = st.lists(st.floats(0.0, 1e6, allow_subnormal=False), min_size=24, max_size=24)
PROFILE = {"profile": st.none() | HOURS}
ARRIVALS = st.one_of(
    kind("poisson", rate=RATE),
    kind("periodic", rate=RATE, phase=TIME, jitter=TIME),
    kind("daily", rate=RATE, profile=HOURS),
    kind("weekly", rate=RATE, profile=HOURS, weekend=st.floats(0.0, 10.0), start=st.sampled_from(["monday", "sunday"])),
    kind("sinusoid", rate=RATE, amplitude=st.floats(0.0, 1.0), peak=TIME, period=TIME),
    *(kind(name, rate=RATE, cv=VARIATION, **PROFILE) for name in ("gamma", "weibull", "lognormal")),
    kind("mmpp", rates=st.lists(RATE, min_size=3, max_size=3), stays=st.lists(TIME, min_size=3, max_size=3)),
    kind("mmpp", rates=st.just(["5/s", "0/s"]), changes=st.lists(st.lists(RATE, min_size=2, max_size=2), min_size=2)),
    kind("hawkes", rate=RATE, branching=st.floats(0.0, 0.99), decay=quantity(1e-3, 10.0, " s")),
    kind(
        "self-similar",
        rate=RATE,
        hurst=st.floats(0.51, 0.99),
        sources=st.floats(0.1, 1e3),
        on=quantity(1.0, 1e4, " s"),
    ),
    kind(
        "clients",
        rate=RATE,
        count=st.integers(1, 20),
        zipf=st.floats(0.0, 10.0),
        cv=st.lists(VARIATION, min_size=1, max_size=3),
        **PROFILE,
    ),
    kind("clients", rate=RATE, shares=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=9), cv=st.just([1.5])),
    kind("schedule", times=st.lists(TIME, min_size=1, max_size=9), every=st.none() | TIME),
)


@given(ARRIVALS, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_moments_are_sorted_and_inside_the_run_or_refused(arrivals, seed):
    try:
        stream = Stream.model_validate({"arrivals": arrivals, "runs_on": ["pool"], "model": "some-model"})
    except ValueError:
        return
    try:
        parts = list(workload.blocks(stream, "s", DURATION_S, CATALOG, seed, 0, None))
        refusal = ""
    except DcsimError as error:
        parts, refusal = [], str(error)
    if refusal:
        assert refusal.startswith("streams.s.arrivals")
        assert "\n" not in refusal
        return
    cut = list(workload.blocks(stream, "s", DURATION_S, CATALOG, seed, 0, None, rows=77))
    arrival_s = np.concatenate([np.empty(0), *(part.arrival_s for part in parts)])
    assert (np.diff(arrival_s) >= 0).all()
    assert ((arrival_s >= 0) & (arrival_s < DURATION_S)).all()
    assert all(len(part) for part in parts)
    assert np.concatenate([np.empty(0), *(part.arrival_s for part in cut)]).tobytes() == arrival_s.tobytes()
