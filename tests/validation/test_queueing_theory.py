"""Closed forms against numbers worked out by hand, and against the shared case file where it is there."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.validation import queueing_theory as theory
from dcsim.workload.arrivals.mmpp import States

DATA = os.environ.get("DCSIM_DATA")


def test_one_server_by_hand() -> None:
    waits = theory.mmc(0.8, 1.0, 1)
    assert waits.p_wait == pytest.approx(0.8, rel=1e-12)
    assert waits.wq_s == pytest.approx(4.0, rel=1e-12)  # rho / (mu - lambda)
    assert waits.w_s == pytest.approx(5.0, rel=1e-12)
    assert waits.waiting == pytest.approx(3.2, rel=1e-12)
    assert waits.present == pytest.approx(4.0, rel=1e-12)
    assert waits.p95_wait_s == pytest.approx(math.log(0.8 / 0.05) / 0.2, rel=1e-12)


def test_two_servers_by_hand() -> None:
    # a = 1, c = 2: B = (1/2) / (1 + 1 + 1/2) = 1/5, C = 1/3
    assert theory.erlang_b(1.0, 2) == pytest.approx(0.2, rel=1e-15)
    assert theory.erlang_c(1.0, 2) == pytest.approx(1 / 3, rel=1e-15)


def test_rare_waits_have_no_95th_percentile() -> None:
    assert theory.mmc(0.02, 1.0, 1).p95_wait_s == 0.0


def test_fixed_service_halves_the_wait_of_exponential_service() -> None:
    assert theory.mg1(0.7, 1.0, 0.0).wq_s == pytest.approx(theory.mmc(0.7, 1.0, 1).wq_s / 2)
    assert theory.mg1(0.7, 1.0, 1.0).wq_s == pytest.approx(theory.mmc(0.7, 1.0, 1).wq_s)


def test_relaxation_of_one_server_is_its_spectral_gap() -> None:
    assert theory.relaxation_s(0.25, 1.0, 1) == pytest.approx(4.0)  # 1 / (1 - 0.5)^2
    assert theory.relaxation_s(1.0, 1.0, 1) == math.inf


def test_gamma_gaps_of_variation_one_are_a_poisson_process() -> None:
    one, plain = theory.gamma_m1(0.7, 1.0, 1.0), theory.mmc(0.7, 1.0, 1)
    assert (one.p_wait, one.wq_s, one.p95_wait_s) == pytest.approx((plain.p_wait, plain.wq_s, plain.p95_wait_s))


def test_erlang_gaps_by_hand() -> None:
    # E2/M/1 with rate 1/2 and mu 1: sigma = (1 + (1 - sigma))^-2, so sigma (2 - sigma)^2 = 1, (3 - 5^0.5) / 2.
    assert theory.gamma_m1(0.5, 1.0, math.sqrt(0.5)).p_wait == pytest.approx((3 - math.sqrt(5)) / 2, rel=1e-12)


@given(st.floats(0.05, 0.95), st.floats(0.05, 20.0))
def test_sigma_is_a_root(rate: float, cv: float) -> None:
    sigma = theory.gamma_m1(rate, 1.0, cv).p_wait
    assert 0 < sigma < 1
    assert (1 + (1 - sigma) * cv**2 / rate) ** (-1 / cv**2) == pytest.approx(sigma, rel=1e-6)


def test_equal_rates_are_a_poisson_process() -> None:
    switched = theory.mmpp_m1(States.of([0.7, 0.7], [[0, 0.1], [0.3, 0]]), 1.0)
    plain = theory.mmc(0.7, 1.0, 1)
    found = (switched.p_wait, switched.wq_s, switched.w_s, switched.waiting, switched.present)
    assert found == pytest.approx((plain.p_wait, plain.wq_s, plain.w_s, plain.waiting, plain.present), rel=1e-10)


def test_fast_and_slow_changes() -> None:
    fast = theory.mmpp_m1(States.of([1.2, 0.2], [[0, 1e4], [1e4, 0]]), 1.0)
    assert fast.w_s == pytest.approx(theory.mmc(0.7, 1.0, 1).w_s, rel=1e-3)
    slow = theory.mmpp_m1(States.of([0.8, 0.4], [[0, 1e-6], [1e-6, 0]]), 1.0)
    assert slow.present == pytest.approx((0.8 / 0.2 + 0.4 / 0.6) / 2, rel=1e-3)  # one queue or the other


def test_on_off_arrivals_are_a_renewal_process() -> None:
    # Gaps of the interrupted Poisson process: density with transform A(s) = (s + w) l / (s^2 + s (l + g + w) + l w).
    on, leave, back, mu = 1.5, 0.5, 0.5, 1.0
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(100):
        sigma = (low + high) / 2
        s = mu * (1 - sigma)
        transform = (s + back) * on / (s * s + s * (on + leave + back) + on * back)
        low, high = (sigma, high) if transform > sigma else (low, sigma)
    exact = theory.mmpp_m1(States.of([on, 0.0], [[0, leave], [back, 0]]), mu)
    assert exact.p_wait == pytest.approx(sigma, rel=1e-8)
    assert exact.wq_s == pytest.approx(sigma / (mu * (1 - sigma)), rel=1e-8)


@given(st.floats(0.01, 500), st.integers(1, 300))
def test_erlang_b_is_the_share_of_the_full_state(offered: float, servers: int) -> None:
    logs = [k * math.log(offered) - math.lgamma(k + 1) for k in range(servers + 1)]
    top = max(logs)
    full = math.exp(logs[-1] - top) / math.fsum(math.exp(x - top) for x in logs)
    assert theory.erlang_b(offered, servers) == pytest.approx(full, rel=1e-9)


@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
def test_shared_values() -> None:
    cases = json.loads((Path(DATA or "") / "cases/scheduling/queueing_analytic.json").read_text())["cases"]
    for case in cases["MMc"]:
        waits = theory.mmc(case["lam"], case["mu"], case["c"])
        found = (waits.p_wait, waits.wq_s, waits.w_s, waits.waiting, waits.present, waits.p95_wait_s)
        wanted = [case[key] for key in ("P_wait", "Wq", "W", "Lq", "L", "p95_wait")]
        assert found == pytest.approx(wanted, rel=1e-12)
    for case in cases["ErlangB"]:
        assert theory.erlang_b(case["a"], case["c"]) == pytest.approx(case["B"], rel=1e-12)
    for case in cases["GammaGI_M1"]:
        waits = theory.gamma_m1(case["lam"], case["mu"], case["cv"])
        assert (waits.p_wait, waits.wq_s, waits.w_s) == pytest.approx((case["sigma"], case["Wq"], case["W"]), rel=1e-10)
    for case in cases["MMPP2_M_1"]:
        states = States.of([case["l1"], case["l2"]], [[0.0, case["r12"]], [case["r21"], 0.0]])
        waits = theory.mmpp_m1(states, case["mu"])
        found = (states.mean_hz, waits.present, waits.w_s)
        assert found == pytest.approx((case["lam_mean"], case["L"], case["W"]), rel=1e-10)
    for case in cases["MG1_FCFS"]:
        waits = theory.mg1(case["lam"], case["ES"], case["cv2"])
        assert (waits.wq_s, waits.w_s) == pytest.approx((case["Wq"], case["W"]), rel=1e-12)
