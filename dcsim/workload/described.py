"""Jobs in figures: what `dcsim workload show` says of a block, as plain data with units in the keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dcsim.workload import fit_laws, statistics
from dcsim.workload.arrivals import Theory
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.columns import COLUMNS
from dcsim.workload.traces import Machines, Rates

#: Columns that are numbers of something, of which quantiles say nothing.
_NUMBERS = ("trace_id", "session")

_NAMES = 10

#: Gaps without which a law of them says nothing.
_LEAST_GAPS = 50


def joined(blocks: Iterable[Block], most: int) -> tuple[Block | None, bool]:
    """Blocks of one stream as one, up to `most` jobs, and whether there were more; None without any."""
    found: list[Block] = []
    rows, more = 0, False
    for block in blocks:
        more = rows + len(block) > most
        found.append(block.take(slice(0, most - rows)) if more else block)
        rows += len(found[-1])
        if more:
            break
    if not rows:
        return None, more
    columns = {name: np.concatenate([block.columns[name] for block in found]) for name in found[0].columns}
    arrival_s = np.concatenate([block.arrival_s for block in found])
    first = found[0]
    return Block(arrival_s, columns, first.labels, first.dropped, told=first.told), more


def jobs(block: Block, *, timed: bool = True) -> dict[str, Any]:
    """Figures of the jobs of a block; keys are in docs/howto/workload.md. `timed` is false of a list without times."""
    found: dict[str, Any] = {"rows": len(block)}
    if timed:
        found |= _arrivals(block.arrival_s)
    numbers = {name: values for name, values in block.columns.items() if name not in block.labels}
    found["columns"] = {name: column(name, values) for name, values in numbers.items() if name not in _NUMBERS}
    found["labels"] = {name: _label(block.columns[name], names) for name, names in block.labels.items()}
    if "session" in numbers:
        found["sessions"] = len(np.unique(numbers["session"]))
    if {"input_tokens", "output_tokens"} <= numbers.keys():
        found["spearman_input_output"] = statistics.spearman(numbers["input_tokens"], numbers["output_tokens"])
    found["dropped"] = dict(block.dropped)
    found["told"] = list(block.told)
    return found


def _arrivals(arrival_s: FloatArray) -> dict[str, Any]:
    gaps = np.diff(arrival_s)
    gap_cv = statistics.variation(gaps)
    found: dict[str, Any] = {
        "first_s": float(arrival_s[0]),
        "last_s": float(arrival_s[-1]),
        "span_s": statistics.span_s(arrival_s),
        "rate_hz": statistics.rate_hz(arrival_s),
        "gap_cv": gap_cv,
        "gap_lag1": None if gap_cv is None else statistics.correlation(gaps[:-1], gaps[1:]),
        "at_the_same_time": float((gaps == 0.0).mean()) if len(gaps) else 0.0,
    }
    if len(gaps) >= _LEAST_GAPS and gaps.any():
        found["gap_laws"] = _laws(gaps)
    seen = [statistics.windows(arrival_s, window_s) for window_s in statistics.WINDOWS_S]
    found["windows"] = [vars(one) for one in seen if one is not None]
    for key, period_s, parts in (("hour_factors", statistics.DAY_S, 24), ("day_factors", statistics.WEEK_S, 7)):
        shape = statistics.profile(arrival_s, period_s, parts)
        if shape is not None:
            found[key] = shape.tolist()
    return found


def _laws(gaps_s: FloatArray) -> dict[str, Any]:
    """Laws of the same mean that come nearest to the gaps, and their Kolmogorov-Smirnov distances."""
    mean = float(gaps_s.mean())
    found: dict[str, Any] = {"exponential": {"ks": statistics.distance_to(gaps_s, lambda x: -np.expm1(-x / mean))}}
    for law, cv in fit_laws.nearest_cv(gaps_s).items():
        found[law] = {"cv": cv, "ks": statistics.distance_to(gaps_s, fit_laws.cdf(law, mean, cv))}
    return found


def column(name: str, values: FloatArray) -> dict[str, Any]:
    """Unit, mean, variation, extremes and quantiles of one column; jobs without the value (NaN) are counted apart."""
    known = values[~np.isnan(values)]
    found: dict[str, Any] = {"unit": COLUMNS[name].unit}
    if len(known) < len(values):
        found["unknown"] = len(values) - len(known)
    if len(known):
        marks = np.quantile(known, statistics.QUANTILES)
        found |= {"mean": float(known.mean()), "cv": statistics.variation(known), "least": float(known.min())}
        found |= {f"p{share * 100:g}": float(mark) for share, mark in zip(statistics.QUANTILES, marks, strict=True)}
        found["most"] = float(known.max())
    return found


def _label(numbers: FloatArray, names: tuple[str, ...]) -> dict[str, Any]:
    found = statistics.shares(numbers, names)
    first = dict(found[:_NAMES])
    return {"names": len(found), "top_10_share": float(sum(first.values())), "shares": first}


def theory(known: Theory | None) -> Mapping[str, Any]:
    """What theory knows of a process: rate, variation and correlation of gaps, dispersion by window."""
    if known is None:
        return {}
    found = {"rate_hz": known.rate_hz, "gap_cv": known.gap_cv, "gap_lag1": known.gap_lag1}
    windows = {f"{window_s:g}": known.dispersion(window_s) for window_s in statistics.WINDOWS_S}
    told: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    dispersion = {key: value for key, value in windows.items() if value is not None}
    return told | ({"dispersion_by_window_s": dispersion} if dispersion else {})


def rates(table: Rates) -> dict[str, Any]:
    """Figures of a table of rates over time."""
    mean_hz = float(table.rate_hz.mean())
    found: dict[str, Any] = {
        "intervals": len(table.rate_hz),
        "interval_s": table.interval_s,
        "span_s": table.duration_s,
        "mean_hz": mean_hz,
        "peak_over_mean": float(table.rate_hz.max()) / mean_hz if mean_hz else 0.0,
        "least_over_mean": float(table.rate_hz.min()) / mean_hz if mean_hz else 0.0,
        "dropped": dict(table.dropped),
        "told": list(table.told),
    }
    shape = statistics.table_profile(table.rate_hz, table.interval_s)
    return found | ({} if shape is None else {"hour_factors": shape.tolist()})


def machines(nodes: Machines) -> dict[str, Any]:
    """Nodes of a cluster, by kind."""
    found: dict[str, Any] = {"nodes": nodes.nodes, "devices": nodes.devices}
    found["kinds"] = [kind._asdict() for kind in nodes.kinds]
    return found | {"dropped": dict(nodes.dropped), "told": list(nodes.told)}
