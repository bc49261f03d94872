"""Laws: means, variations, quantiles and tails by formula; bounds, mixtures, tables; what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dcsim import catalog
from dcsim.errors import CatalogError, ScenarioError
from dcsim.scenario.laws import Times, Tokens
from dcsim.scenario.sizes import Sizes
from dcsim.scenario.streams import Stream
from dcsim.seeds import generator
from dcsim.workload import draws, laws
from dcsim.workload.mixes import JobMix

COUNT = 200_000
CATALOG = catalog.load()


def law(**keys: Any) -> laws.Law:
    return laws.of(Times(**keys), CATALOG)


def drawn(**keys: Any) -> Any:
    return law(**keys).draw(generator(1, 0, "test"), COUNT)


@pytest.mark.parametrize("name", ["gamma", "weibull", "lognormal"])
@pytest.mark.parametrize("cv", [0.3, 1.0, 2.0])
def test_mean_and_variation(name: str, cv: float) -> None:
    values = drawn(distribution=name, mean="10 s", cv=cv)
    fourth = float(np.mean((values - values.mean()) ** 4))
    assert values.mean() == pytest.approx(10.0, abs=4 * 10 * cv / math.sqrt(COUNT))
    assert values.var() == pytest.approx((10 * cv) ** 2, abs=4 * math.sqrt(fourth / COUNT))


@pytest.mark.parametrize(
    "keys",
    [
        {"distribution": "fixed", "mean": "3 s"},
        {"distribution": "exponential", "mean": "3 s"},
        {"distribution": "gamma", "mean": "3 s", "cv": 0.7},
        {"distribution": "weibull", "mean": "3 s", "cv": 1.8},
        {"distribution": "lognormal", "mean": "3 s", "cv": 1.8},
        {"distribution": "pareto", "least": "1 s", "shape": 1.2},
        {"distribution": "pareto", "least": "1 s", "shape": 0.9, "most": "1 h"},
        {"distribution": "lognormal", "mean": "3 s", "cv": 1.8, "least": "2 s", "most": "5 s"},
        {
            "distribution": "mixture",
            "parts": [
                {"share": 3, "distribution": "exponential", "mean": "1 s"},
                {"share": 1, "distribution": "fixed", "mean": "20 s"},
            ],
        },
    ],
)
def test_draws_follow_the_quantiles(keys: dict[str, Any]) -> None:
    made = law(**keys)
    values = made.draw(generator(2, 0, "test"), COUNT)
    for share in (0.05, 0.25, 0.5, 0.7, 0.9, 0.99):
        at = float(made.quantile(np.array([share]))[0])
        below, upto = (values < at * (1 - 1e-9)).mean(), (values <= at * (1 + 1e-9)).mean()
        noise = 4 * math.sqrt(share * (1 - share) / COUNT) + 1 / 8192
        assert below - noise <= share <= upto + noise


def test_tail_of_pareto() -> None:
    values = drawn(distribution="pareto", least="2 s", shape=1.5)
    assert values.min() >= 2.0
    for times in (2.0, 10.0, 100.0):
        exact = times**-1.5
        assert (values > 2.0 * times).mean() == pytest.approx(exact, abs=4 * math.sqrt(exact / COUNT))
    assert drawn(distribution="pareto", least="2 s", shape=0.5, most="50 s").max() <= 50.0


def test_bounds() -> None:
    values = drawn(distribution="exponential", mean="10 s", least="5 s", most="20 s")
    assert (values.min(), values.max()) == (5.0, 20.0)
    assert (values == 20.0).mean() == pytest.approx(math.exp(-2), abs=0.005)


def test_shares_of_a_mixture() -> None:
    parts = [
        {"share": 0.2, "distribution": "fixed", "mean": "1 s"},
        {"share": 0.6, "distribution": "fixed", "mean": "2 s"},
    ]
    values = drawn(distribution="mixture", parts=parts)
    assert (values == 1.0).mean() == pytest.approx(0.25, abs=0.005)


def _tokens(**keys: Any) -> Any:
    stream = Stream(
        arrivals={"kind": "poisson", "rate": "1/s"}, runs_on=["a"], model="llama-3.1-8b", sizes=Sizes(**keys)
    )
    (draw,) = draws.column_draws(stream, "s", CATALOG, 1, 0)
    return draw(COUNT)


def test_tokens_are_whole_and_bounded() -> None:
    columns = _tokens(input_tokens={"distribution": "lognormal", "mean": 900, "cv": 1.5, "most": 4096}, output_tokens=7)
    assert (columns["output_tokens"] == 7).all()
    tokens = columns["input_tokens"]
    assert (tokens == np.floor(tokens)).all()
    assert tokens.min() >= 1
    assert tokens.max() == 4096


@pytest.mark.parametrize("rank", [-0.6, 0.0, 0.5, 0.95])
def test_correlated_tokens(rank: float) -> None:
    from scipy.stats import spearmanr

    columns = _tokens(
        input_tokens={"distribution": "lognormal", "mean": 1000, "cv": 1, "most": 100000},
        output_tokens={"distribution": "gamma", "mean": 300, "cv": 0.8, "most": 100000},
        correlation=rank,
    )
    found = spearmanr(columns["input_tokens"], columns["output_tokens"]).statistic
    assert found == pytest.approx(rank, abs=0.01)
    assert columns["output_tokens"].mean() == pytest.approx(300.5, rel=0.01)  # rounded up: half a token more


def test_the_longest_request_is_known_beforehand() -> None:
    sizes = Sizes(
        input_tokens=Tokens(distribution="exponential", mean=10, most=500),
        output_tokens=Tokens(distribution="fixed", mean=2.5),
    )
    assert draws.most_tokens(sizes, CATALOG) == 503


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"distribution": "lognormal", "mean": "1 s"}, "s.service: missing key 'cv'"),
        ({"distribution": "pareto", "shape": 2.0}, "s.service: missing key 'least'"),
        ({"distribution": "fixed", "mean": "1 s", "cv": 2.0}, "s.service.cv: distribution 'fixed' has no cv"),
        ({"distribution": "exponential", "mean": "1 s", "least": "2 s", "most": "1 s"}, "s.service.least: found 2"),
        (
            {"distribution": "mixture", "parts": [{"share": 1, "distribution": "mixture"}]},
            "parts.0.distribution: found 'mixture' in a mixture",
        ),
    ],
)
def test_refused_laws(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        draws.law_of(Times(**keys), "s.service", CATALOG)


class _Entry:
    """Stands in for a catalog entry."""

    name = "small"

    def __init__(self, facts: dict[str, object], **arrays: Any) -> None:
        self.facts, self._arrays = facts, {key: np.array(value, float) for key, value in arrays.items()}

    def __contains__(self, key: object) -> bool:
        return key in self._arrays

    def array(self, key: str) -> Any:
        return self._arrays[key]


_MIX = {
    "processors": [1, 8],
    "share": [3, 1],
    "probabilities": [0, 0.5, 1],
    "run_s": [[10, 20, 40], [100, 100, 1000]],
    "outcome_share": [[0.9, 0.1], [0.5, 0.5]],
}


def _mix(**other: Any) -> JobMix:
    return JobMix.of(_Entry({"outcomes": "passed|failed"}, **(_MIX | other)))  # type: ignore[arg-type]


def test_a_mix_draws_devices_times_and_outcomes_together() -> None:
    columns = _mix().draw(COUNT, generator(1, 0, "test"))
    wide = columns["processors"] == 8
    assert wide.mean() == pytest.approx(0.25, abs=0.005)
    assert columns["state"][wide].mean() == pytest.approx(0.5, abs=0.01)
    assert columns["state"][~wide].mean() == pytest.approx(0.1, abs=0.005)
    assert columns["run_s"][wide].min() == 100.0
    assert np.median(columns["run_s"][~wide]) == pytest.approx(20.0, abs=0.2)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"share": [1, -1]}, "want a share of 0 or more"),
        ({"processors": [0, 8]}, "whole numbers from 1"),
        ({"probabilities": [0, 0.7, 0.9]}, "rise from 0 to 1"),
        ({"run_s": [[10, 5, 40], [100, 100, 1000]]}, "rising times above 0"),
        ({"outcome_share": [[1.0], [1.0]]}, "a column per outcome"),
    ],
)
def test_unsound_mixes(other: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        _mix(**other)


@pytest.mark.parametrize(
    "keys",
    [
        {"distribution": "gamma", "mean": "3 s", "cv": 0.7},
        {"distribution": "pareto", "least": "1 s", "shape": 1.2},
        {
            "distribution": "mixture",
            "parts": [
                {"share": 3, "distribution": "lognormal", "mean": "1 s", "cv": 2.0},
                {"share": 1, "distribution": "exponential", "mean": "20 s"},
            ],
        },
    ],
)
def test_rows_do_not_depend_on_how_many_are_drawn_at_a_time(keys: dict[str, Any]) -> None:
    made, whole, cut = law(**keys), generator(5, 0, "test"), generator(5, 0, "test")
    parts = [made.draw(cut, count) for count in (1, 76, 923)]
    assert np.concatenate(parts).tobytes() == made.draw(whole, 1000).tobytes()
