"""What each tenant of a run got: jobs, waits, device time, energy."""

from __future__ import annotations

import numpy as np

from dcsim.results import energy
from dcsim.results.account import BOUNDARIES, RunAccount
from dcsim.results.energy import Rates
from dcsim.results.tables import JobView
from dcsim.service import FloatArray

#: Tenants that are listed, those with the most jobs first; the jobs table has all of them.
MOST_TENANTS = 200

Columns = dict[str, FloatArray]


def gather(account: RunAccount, shares: Rates) -> dict[str, Columns]:
    """Columns of the jobs of each tenant by name, at most MOST_TENANTS; empty where no stream has tenants.

    They are status, wait_s, latency_s, met (1, 0, or NaN without an objective), busy_s and energy_j (loaded, up to the
    facility), arrays of shape (jobs,).
    """
    found: dict[str, list[Columns]] = {}
    for block in account.table.blocks if "tenant" in account.kept else ():
        view = JobView(account, block)
        met = view.meets(account.scenario.streams[block.stream].slo)
        parts, _, loaded = energy.per_job(account, block, shares)
        columns = {
            "status": view.status.astype(np.float64),
            "wait_s": view.wait_s,
            "latency_s": view.latency_s,
            "met": np.full(view.count, np.nan) if met is None else met.astype(np.float64),
            "busy_s": parts.busy_s[: view.count],
            "energy_j": loaded[BOUNDARIES.index("facility"), : view.count],
        }
        words = view.words("tenant")
        for number in np.unique(words.numbers[words.numbers >= 0]).tolist():
            rows = np.flatnonzero(words.numbers == number)
            found.setdefault(words.words[number], []).append({key: values[rows] for key, values in columns.items()})
    joined = {
        name: {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} for name, parts in found.items()
    }
    listed = sorted(joined, key=lambda name: (-len(joined[name]["status"]), name))[:MOST_TENANTS]
    return {name: joined[name] for name in sorted(listed)}
