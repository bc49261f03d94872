# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First steps
#
# An hour of the pilot data center: what a job costs on GPUs and on neuromorphic boards, and why the answer depends on
# where and how one measures. `make notebooks` writes and runs this notebook from `first_steps.py`.

# %%
from pathlib import Path

import pandas as pd

import dcsim

folder = next(path for path in (Path("scenarios"), Path("../scenarios")) if path.is_dir())
scenario = dcsim.load(folder / "hybrid_pilot.yaml", {"duration": "1 h"})
result = dcsim.simulate(scenario)

# %% [markdown]
# ## Who served what
#
# A row per job, as a pandas table. The streams `keywords` and `gestures` are dealt in equal parts to GPUs and boards.

# %%
result.jobs.groupby(["stream", "pool"]).agg(
    jobs=("job", "size"),
    latency_ms=("latency_s", lambda seconds: 1000 * seconds.median()),
    chip_marginal_j=("energy_chip_marginal_j", "mean"),
    facility_loaded_j=("energy_facility_loaded_j", "mean"),
)

# %% [markdown]
# ## Power

# %%
axes = result.plot.power()

# %% [markdown]
# ## Latency

# %%
axes = result.plot.latency()

# %% [markdown]
# ## Energy per job
#
# Filled: marginal, what a job added. Outlined: loaded, with its share of everything that is kept running.

# %%
axes = result.plot.energy_per_job()

# %% [markdown]
# ## What if the boards were better used?
#
# Ten times the demand costs the hall little more energy, so that each job's share falls.

# %%
rows = []
for factor in (1, 3, 10, 30):
    overrides = {
        "duration": "10 min",
        "streams.keywords.arrivals.rate": f"{2 * factor}/s",
        "streams.gestures.arrivals.rate": f"{factor}/s",
    }
    run = dcsim.simulate(dcsim.load(folder / "hybrid_pilot.yaml", overrides))
    jobs = run.jobs[run.jobs["stream"] == "gestures"].groupby("family")
    rows.append({"demand": factor, **jobs["energy_facility_loaded_j"].mean()})
table = pd.DataFrame(rows).set_index("demand")
axes = table.plot(loglog=True, marker="o", ylabel="J per gesture, facility, loaded", xlabel="demand, times the pilot's")

# %% [markdown]
# ## On what the answer rests

# %%
{key: result.summary["trust"][key] for key in ("estimate_share", "recalled_share", "offered_load", "warnings")}
