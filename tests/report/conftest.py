"""A plausible run made of plain numbers: the report needs attributes, not the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from dcsim.scenario.models import Scenario

mpl.use("Agg")

DAY_S = 86_400.0
BOUNDARIES = ("chip", "board", "node", "rack", "facility")
PUE = 1.22


@dataclass
class Run:
    """Looks like `dcsim.results.Result` to the report."""

    summary: dict[str, Any]
    jobs: pd.DataFrame
    racks: pd.DataFrame
    facility: pd.DataFrame
    scenario: Scenario
    manifest: dict[str, Any] = field(default_factory=lambda: {"version": "0.1.0", "seed": 7})


# Energies at the five boundaries over the marginal one at the chip.
FACTORS = {
    "gpu": {"marginal": (1.0, 1.05, 1.3, 1.36, 1.36 * PUE), "loaded": (1.6, 1.7, 2.3, 2.5, 2.5 * PUE)},
    "neuromorphic": {
        "marginal": (1.0, 1.6, 2.6, 2.8, 2.8 * PUE),
        "loaded": (9.0, 16.0, 30.0, 33.0, 33.0 * PUE),
    },
}
# family, pool, system, share of the stream, median latency in s, its sigma, marginal J at the chip
STREAMS: dict[str, dict[str, Any]] = {
    "chat": {"jobs": 3000, "on": [("gpu", "h100", "hgx-h100-8", 1.0, 6.2, 0.75, 310.0)]},
    "kws": {
        "jobs": 4000,
        "on": [
            ("gpu", "h100", "hgx-h100-8", 0.25, 0.0021, 0.12, 0.021),
            ("neuromorphic", "spinnaker2", "spinnaker2-48", 0.75, 0.0102, 0.05, 0.00031),
        ],
    },
    "gesture": {
        "jobs": 2000,
        "on": [
            ("gpu", "h100", "hgx-h100-8", 0.3, 0.0048, 0.2, 0.34),
            ("neuromorphic", "loihi2", "nahuku-32", 0.7, 0.0145, 0.1, 0.0042),
        ],
    },
    "nightly-training": {"jobs": 1, "on": [("gpu", "h100", "hgx-h100-8", 1.0, 9_400.0, 0.0, 2.1e7)]},
}
SLO = {"chat": "30 s", "kws": "50 ms", "gesture": "20 ms"}
# group, pool, system, family, racks, idle kW, extra kW when busy, share of the extra by day
GROUPS = [
    ("gpu", "h100", "hgx-h100-8", "gpu", 2, 9.0, 22.0),
    ("spinnaker", "spinnaker2", "spinnaker2-48", "neuromorphic", 1, 1.9, 1.1),
    ("loihi", "loihi2", "nahuku-32", "neuromorphic", 1, 0.6, 0.25),
]


def scenario(duration_s: float, meter_s: float, names: dict[str, Any]) -> Scenario:
    """The scenario that the numbers pretend to come from."""
    racks = {
        group: {"site": "north", "count": count, "pools": {pool: {"nodes": 4, "system": system}}}
        for group, pool, system, _, count, _, _ in GROUPS
    }
    streams = {
        name: {
            "arrivals": {"kind": "poisson", "rate": "1/s"},
            "runs_on": [pool for _, pool, *_ in written["on"]],
            "model": name,
            "slo": {"latency": SLO[name]} if name in SLO else {},
        }
        for name, written in names.items()
    }
    return Scenario.model_validate(
        {
            "name": "hybrid_pilot",
            "description": "One day of a pilot: chat on GPUs beside keyword spotting and gestures.",
            "duration": f"{duration_s} s",
            "meter_interval": f"{meter_s} s",
            "seed": 7,
            "sites": {"north": {"place": "oregon"}},
            "racks": racks,
            "streams": streams,
        }
    )


def jobs_table(duration_s: float, names: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    """Jobs of every stream in the order of arrival; 1 % of chat is rejected, the last two jobs still run."""
    parts = []
    for name, written in names.items():
        for family, pool, system, share, median, sigma, joules in written["on"]:
            n = max(1, round(written["jobs"] * share))
            latency = median * np.exp(sigma * rng.standard_normal(n))
            energy = joules * np.exp(0.3 * rng.standard_normal(n))
            part = pd.DataFrame(
                {
                    "site": "north",
                    "stream": name,
                    "pool": pool,
                    "device": system,
                    "family": family,
                    "arrival_s": np.sort(rng.uniform(0.0, duration_s, n)),
                    "latency_s": latency,
                    "wait_s": 0.1 * latency,
                    "status": "completed",
                }
            )
            for kind, factors in FACTORS[family].items():
                for boundary, factor in zip(BOUNDARIES, factors, strict=True):
                    part[f"energy_{boundary}_{kind}_j"] = energy * factor
            if name == "chat":
                part.loc[part.index % 100 == 0, "status"] = "rejected"
                part.loc[part.index % 100 == 0, "latency_s"] = np.nan
            parts.append(part)
    table = pd.concat(parts, ignore_index=True).sort_values("arrival_s", ignore_index=True)
    table.insert(0, "job", np.arange(len(table)))
    return table


def rack_table(duration_s: float, meter_s: float, rng: np.random.Generator) -> pd.DataFrame:
    """Daily rhythm of the GPU racks, training from 01:00 to 04:00, neuromorphic racks nearly flat."""
    time_s = np.arange(0.0, duration_s, meter_s)
    hour = time_s / 3600.0 % 24.0
    load = 0.35 + 0.3 * np.sin((hour - 9.0) / 24.0 * 2 * np.pi) + 0.25 * ((hour >= 1) & (hour < 4))
    rows = []
    for group, pool, system, family, count, idle_kw, extra_kw in GROUPS:
        for number in range(count):
            busy = np.clip(load + 0.05 * rng.standard_normal(len(time_s)), 0.0, 1.0)
            compute_w = 1e3 * (idle_kw + extra_kw * busy)
            rows.append(
                pd.DataFrame(
                    {
                        "time_s": time_s,
                        "site": "north",
                        "rack": f"{group}-{number}",
                        "group": group,
                        "pool": pool,
                        "system": system,
                        "family": family,
                        "compute_w": compute_w,
                        "it_w": compute_w * 1.06,
                        "busy": busy,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def summarise(
    jobs: pd.DataFrame, racks: pd.DataFrame, facility: pd.DataFrame, duration_s: float, meter_s: float
) -> dict[str, Any]:
    """The nested figures as the simulator would give them."""

    def spread(values: pd.Series) -> dict[str, float]:
        return {
            "mean": float(values.mean()),
            **{f"p{q}": float(values.quantile(q / 100)) for q in (50, 95, 99)},
        }

    def of_jobs(table: pd.DataFrame) -> dict[str, Any]:
        done = table[table["status"] == "completed"]
        return {
            "submitted": len(table),
            "completed": len(done),
            "rejected": int((table["status"] == "rejected").sum()),
            "failed": 0,
            "queued": 0,
            "running": 0,
            "throughput_per_s": len(done) / duration_s,
            "wait_s": spread(done["wait_s"]),
            "latency_s": spread(done["latency_s"]),
        }

    streams = {}
    for name, table in jobs.groupby("stream"):
        done = table[table["status"] == "completed"]
        energy = {
            boundary: {kind: float(done[f"energy_{boundary}_{kind}_j"].mean()) for kind in ("marginal", "loaded")}
            for boundary in BOUNDARIES
        }
        streams[name] = of_jobs(table) | {
            "energy_j_per_job": energy,
            "carbon_g_per_job": energy["facility"]["loaded"] / 3.6e6 * 320,
            "water_ml_per_job": energy["facility"]["loaded"] / 3.6e6 * 350,
            "cost_usd_per_job": energy["facility"]["loaded"] / 3.6e6 * 0.25,
        }
        if name in SLO:
            streams[name]["slo_attainment"] = 0.9874 if name == "chat" else 0.99962
    if "chat" in streams:
        streams["chat"] |= {
            "ttft_s": {"mean": 0.31, "p50": 0.24, "p95": 0.92, "p99": 1.71},
            "tpot_s": {"mean": 0.021, "p50": 0.02, "p95": 0.03, "p99": 0.041},
            "goodput_per_s": 0.0339,
        }
    it_kwh = float(racks["it_w"].sum()) * meter_s / 3.6e6
    facility_kwh = float(facility["facility_w"].sum()) * meter_s / 3.6e6
    pools = {}
    for pool, table in racks.groupby("pool"):
        kwh = float(table["it_w"].sum()) * meter_s / 3.6e6
        pools[pool] = {
            "devices": 64,
            "utilisation": float(table["busy"].mean()),
            "energy_kwh": kwh,
            "idle_energy_kwh": 0.44 * kwh,
            "availability": 1.0,
        }
    blocks = {
        "energy": {
            "compute_kwh": it_kwh / 1.06,
            "it_kwh": it_kwh,
            "facility_kwh": facility_kwh,
            "by_part": {
                "psu": it_kwh * 0.06 / 1.06,
                "ups": it_kwh * 0.05,
                "transformer": it_kwh * 0.012,
                "plant": facility_kwh - it_kwh * 1.062,
            },
        },
        "power": {
            "it_mean_kw": it_kwh / duration_s * 3600,
            "it_peak_kw": float(racks.groupby("time_s")["it_w"].sum().max()) / 1e3,
            "facility_peak_kw": float(facility["facility_w"].max()) / 1e3,
        },
        "efficiency": {"pue": facility_kwh / it_kwh, "itue": 1.08, "tue": 1.08 * facility_kwh / it_kwh},
        "water": {
            "withdrawn_l": 0.35 * it_kwh,
            "consumed_l": 0.28 * it_kwh,
            "source_l": 1.8 * facility_kwh,
            "wue_l_per_kwh": 0.35,
            "wue_source_l_per_kwh": 2.5,
        },
        "carbon": {
            "operational_kg": 0.32 * facility_kwh,
            "embodied_kg": 41.0,
            "embodied_low_kg": 27.0,
            "embodied_high_kg": 63.0,
            "total_kg": 0.32 * facility_kwh + 41.0,
            "cue_kg_per_kwh": 0.39,
        },
        "cost": {
            "capex_amortised_usd": 1130.5,
            "energy_usd": 0.08 * facility_kwh,
            "total_usd": 1130.5 + 0.08 * facility_kwh,
            "usd_per_1000_jobs": (1130.5 + 0.08 * facility_kwh) / len(jobs) * 1e3,
        },
    }
    return {
        "jobs": of_jobs(jobs) | {"slo_attainment": 0.9957},
        "streams": streams,
        "pools": pools,
        "sites": {"north": blocks},
        **blocks,
        "trust": {
            "unfinished": 2,
            "never_startable": 0,
            "offered_load": 0.41,
            "estimate_share": 0.18,
            "recalled_share": 0.27,
            "energy_ledger_error": 3.1e-15,
            "warnings": ["2 jobs were still running when the run ended"],
        },
        "run": {
            "seed": 7,
            "simulated_s": duration_s,
            "wall_s": 1.9,
            "events": 412_000,
            "jobs_per_wall_s": 216_000.0,
            "version": "0.1.0",
        },
    }


def build(duration_s: float = DAY_S, meter_s: float = 300.0, names: dict[str, Any] | None = None) -> Run:
    """A run of any length with any streams."""
    names = STREAMS if names is None else names
    rng = np.random.default_rng(20240607)
    jobs = jobs_table(duration_s, names, rng)
    racks = rack_table(duration_s, meter_s, rng)
    it_w = racks.groupby("time_s")["it_w"].sum()
    facility = pd.DataFrame(
        {"time_s": it_w.index, "site": "north", "it_w": it_w.to_numpy(), "facility_w": it_w.to_numpy() * PUE}
    )
    summary = summarise(jobs, racks, facility, duration_s, meter_s)
    return Run(summary, jobs, racks, facility, scenario(duration_s, meter_s, names))


@pytest.fixture(scope="session")
def day() -> Run:
    """One day; do not change it."""
    return build()


@pytest.fixture
def make() -> Callable[..., Run]:
    """Builder of runs that a test may change."""
    return build
