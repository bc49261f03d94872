"""Laws of tokens and run times fitted to the jobs of a trace, judged by drawing from each.

A table of quantiles has hundreds of numbers and follows its own sample anyhow. So all candidates are compared where
they were not fitted: fitted to every second job, drawn from, and held against the others. The score of each is its
Kolmogorov-Smirnov (KS) distance there, the mean over its columns; tokens also pay CORRELATION_WEIGHT x the difference
of Spearman's rank correlation. Scores less than 1 / sqrt(jobs held out) above the lowest differ by chance alone: of
those candidates the one with the fewest parameters is the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dcsim.scenario.streams import Stream
from dcsim.workload import draws, fit_entries, fit_laws, statistics
from dcsim.workload.block import Block, FloatArray

CORRELATION_WEIGHT = 0.1

#: Jobs of a class of a mix; rarer numbers of devices are counted with the nearest that is as frequent.
LEAST_OF_CLASS = 20

_DRAWN = 200_000
_MOST_CLASSES = 32
_MOST_BINS = 32
_JOBS_OF_BIN = 256
_TOKENS = ("input_tokens", "output_tokens")
_ARRIVALS = {"kind": "poisson", "rate": "1/s"}


@dataclass(frozen=True)
class Candidate:
    """One law, or a law for each column, with its distances from the trace."""

    name: str
    key: str
    """`sizes` or `service` of a stream"""
    block: Any
    """what stands there"""
    parameters: int
    """numbers that were fitted, those of tables included"""
    entries: dict[str, fit_entries.Raw] = field(default_factory=dict)
    """catalog entries that the block names"""
    ks: Mapping[str, float] = field(default_factory=dict)
    """KS distance of what it draws from the jobs that it was fitted to, by column"""
    held_out_ks: Mapping[str, float] = field(default_factory=dict)
    """of one fitted to every second job, from the others"""
    score: float = math.inf


_Columns = Mapping[str, FloatArray]
_Make = Callable[[_Columns], Candidate]


def fit(block: Block, name: str, source: str, seed: int = 1) -> list[Candidate]:
    """Candidates for the tokens, or else the run times, of the jobs, best first; none where the trace has neither.

    `name` is the prefix of catalog entries, `source` what they say of their origin.
    """
    columns = {key: values for key, values in block.columns.items() if not np.isnan(values).any()}
    if set(_TOKENS) <= columns.keys():
        columns |= {key: np.maximum(columns[key], 1.0) for key in _TOKENS}
        if all(float(columns[key].min()) == float(columns[key].max()) for key in _TOKENS):
            return _judged([_same_tokens], {key: columns[key] for key in _TOKENS}, seed)
        return _judged(_token_makers(name, source), {key: columns[key] for key in _TOKENS}, seed)
    if "run_s" not in columns:
        return []
    devices = columns.get("processors", np.ones(1))
    if float(devices.min()) == float(devices.max()):
        if float(columns["run_s"].min()) == float(columns["run_s"].max()):
            return _judged([_same_time], {"run_s": columns["run_s"]}, seed)
        return _judged(_time_makers(name, source), {"run_s": columns["run_s"]}, seed)
    kept = {key: values for key, values in columns.items() if key in ("run_s", "processors", "state")}
    states = block.labels.get("state", ())
    return _judged([lambda some: _mix(some, states, name, source)], kept, seed)


def _judged(makers: Sequence[_Make], columns: _Columns, seed: int) -> list[Candidate]:
    even, odd = ({key: values[part::2] for key, values in columns.items()} for part in (0, 1))
    found = []
    for make in makers:
        one = make(columns)
        ks, _ = _distances(one, columns, seed)
        held_out, astray = _distances(make(even), odd, seed)
        score = float(np.mean(list(held_out.values()))) + CORRELATION_WEIGHT * astray
        found.append(replace(one, ks=ks, held_out_ks=held_out, score=score))
    found.sort(key=lambda one: one.score)
    chance = 1.0 / math.sqrt(max(min(len(values) for values in odd.values()), 1))
    best = min((one for one in found if one.score <= found[0].score + chance), key=lambda one: one.parameters)
    return [best, *(one for one in found if one is not best)]


def _distances(one: Candidate, columns: _Columns, seed: int) -> tuple[dict[str, float], float]:
    """KS distance of each column that is a number, and the difference of the rank correlation of tokens."""
    drawn = _drawn(one, seed)
    ks = {key: statistics.distance(drawn[key], columns[key]) for key in columns if key != "state"}
    if not set(_TOKENS) <= columns.keys():
        return ks, 0.0
    theirs, ours = (statistics.spearman(each[_TOKENS[0]], each[_TOKENS[1]]) for each in (columns, drawn))
    return ks, abs((ours or 0.0) - (theirs or 0.0))


def _drawn(one: Candidate, seed: int) -> dict[str, FloatArray]:
    """Draws from what would stand in the scenario."""
    stream = Stream.model_validate({"arrivals": _ARRIVALS, "runs_on": ["pool"], one.key: one.block})
    drawn: dict[str, FloatArray] = {}
    for draw in draws.column_draws(stream, "fit", fit_entries.catalog(one.entries), seed, 0):
        drawn |= draw(_DRAWN)
    return drawn


# ---------------------------------------------------------------- tokens


def _token_makers(name: str, source: str) -> list[_Make]:
    def by_law(law: Callable[[FloatArray], dict[str, Any]], title: str, parameters: int) -> _Make:
        return lambda some: Candidate(title, "sizes", _token_laws(some, law), parameters)

    return [
        lambda some: _token_table(some, name, source),
        by_law(fit_laws.lognormal, "lognormal laws", 5),
        by_law(fit_laws.mixture, "mixtures of two lognormal laws", 11),
    ]


def _token_laws(some: _Columns, law: Callable[[FloatArray], dict[str, Any]]) -> dict[str, Any]:
    bounds = {key: {"least": 1, "most": int(some[key].max())} for key in _TOKENS}
    block: dict[str, Any] = {key: law(some[key]) | bounds[key] for key in _TOKENS}
    together = statistics.spearman(some[_TOKENS[0]], some[_TOKENS[1]])
    return block | ({} if together is None else {"correlation": round(together, 3)})


def _same_tokens(some: _Columns) -> Candidate:
    return Candidate("the same for all", "sizes", {key: int(some[key][0]) for key in _TOKENS}, 2)


def _token_table(some: _Columns, name: str, source: str) -> Candidate:
    """Quantiles of the input and, in equally likely bins of it, of the output."""
    tokens_in, tokens_out = (some[key] for key in _TOKENS)
    bins = int(min(max(len(tokens_in) // _JOBS_OF_BIN, 1), _MOST_BINS))
    parts = np.array_split(tokens_out[np.argsort(tokens_in, kind="stable")], bins)
    shares_in, shares_out = fit_laws.grid(len(tokens_in)), fit_laws.grid(min(len(part) for part in parts) * 8)
    quantiles = fit_laws.table(tokens_in, shares_in, whole=True)
    rows = np.stack([fit_laws.table(part, shares_out, whole=True) for part in parts])
    entry = fit_entries.entry(
        "sizes",
        f"Tokens of {name}",
        source,
        {
            "input_probabilities": ("1", shares_in),
            "input_tokens": ("tokens", fit_entries.rounded(quantiles)),
            "output_probabilities": ("1", shares_out),
            "output_tokens": ("tokens", fit_entries.rounded(rows)),
        },
    )
    made = f"{name}-tokens"
    return Candidate("table of quantiles", "sizes", made, quantiles.size + rows.size, {made: entry})


# ---------------------------------------------------------------- run times


def _time_makers(name: str, source: str) -> list[_Make]:
    def by_law(title: str, parameters: int, law: Callable[[FloatArray], dict[str, Any]]) -> _Make:
        def make(some: _Columns) -> Candidate:
            block = _in_seconds(law(some["run_s"]), float(some["run_s"].max()))
            return Candidate(title, "service", block, parameters)

        return make

    return [
        lambda some: _time_table(some, name, source),
        by_law("exponential", 1, fit_laws.exponential),
        by_law("gamma", 2, lambda values: fit_laws.nearest("gamma", values)),
        by_law("weibull", 2, lambda values: fit_laws.nearest("weibull", values)),
        by_law("lognormal", 2, fit_laws.lognormal),
        by_law("pareto", 2, fit_laws.pareto),
        by_law("mixture of two lognormal laws", 5, fit_laws.mixture),
    ]


def _same_time(some: _Columns) -> Candidate:
    return Candidate("the same for all", "service", {"distribution": "fixed", "mean": f"{some['run_s'][0]:.9g} s"}, 1)


def _in_seconds(law: dict[str, Any], most_s: float) -> dict[str, Any]:
    """A law of times with its units; no time is longer than the longest of the trace."""
    found = dict(law)
    for key in ("mean", "least"):
        if key in found:
            found[key] = f"{found[key]:g} s"
    if "parts" in found:
        found["parts"] = [{**part, "mean": f"{part['mean']:g} s"} for part in found["parts"]]
    longest_s = max(most_s, float(law.get("least", 0.0)))
    return found | {"most": f"{longest_s:.6g} s"}


def _time_table(some: _Columns, name: str, source: str) -> Candidate:
    shares = fit_laws.grid(len(some["run_s"]))
    quantiles = fit_entries.rounded(fit_laws.table(some["run_s"], shares))
    entry = fit_entries.entry(
        "quantiles", f"Run times of {name}, s", source, {"probabilities": ("1", shares), "values": ("1", quantiles)}
    )
    made = f"{name}-times"
    return Candidate(
        "table of quantiles", "service", {"distribution": "table", "table": made}, quantiles.size, {made: entry}
    )


def _mix(some: _Columns, states: Sequence[str], name: str, source: str) -> Candidate:
    """Devices, run time and, where known, outcome of a job, drawn together: a class for each number of devices."""
    which, classes = _classes(some["processors"])
    number = np.bincount(which, minlength=len(classes))
    shares = fit_laws.grid(int(number.max()))
    of_class = [fit_laws.positive(some["run_s"][which == k]) for k in range(len(classes))]
    run_s = np.stack([fit_laws.table(values, shares) for values in of_class])
    numbers: dict[str, tuple[str, Any]] = {
        "processors": ("1", classes),
        "share": ("1", fit_entries.rounded(number / number.sum())),
        "probabilities": ("1", shares),
        "run_s": ("s", fit_entries.rounded(run_s)),
    }
    facts = {}
    if "state" in some and states:
        at = some["state"].astype(np.intp)
        found = np.stack([np.bincount(at[which == k], minlength=len(states)) for k in range(len(classes))])
        numbers["outcome_share"] = ("1", fit_entries.rounded(found / found.sum(axis=1, keepdims=True)))
        facts["outcomes"] = "|".join(state.replace("|", "/") for state in states)
    entry = fit_entries.entry("mix", f"Devices and run times of {name}", source, numbers, **facts)
    made = f"{name}-mix"
    block = {"distribution": "mix", "table": made}
    return Candidate("mix of devices and run times", "service", block, run_s.size, {made: entry})


def _classes(devices: FloatArray) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], FloatArray]:
    """Class of each job, shape (n,), and the number of devices of each class, rising, shape (k,)."""
    whole = np.maximum(np.ceil(devices), 1.0)
    known, number = np.unique(whole, return_counts=True)
    least = min(max(LEAST_OF_CLASS, int(np.sort(number)[::-1][:_MOST_CLASSES][-1])), int(number.max()))
    kept = known[number >= least][:_MOST_CLASSES]
    between = np.sqrt(kept[1:] * kept[:-1])
    return np.searchsorted(between, whole), kept
