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
# # Chip shoot-out
#
# Every neuromorphic chip of the catalog and two GPUs read handwritten digits. Which needs least energy? It depends on
# what one counts, and on how many digits wait at a time. The comparison itself is `scenarios/chip_shootout.py`; its
# head says what each boundary holds. `make notebooks` writes and runs this notebook from its `.py` file.

# %%
import sys
from pathlib import Path

import pandas as pd

# %matplotlib inline

folder = next(path for path in (Path("scenarios"), Path("../scenarios")) if path.is_dir())
sys.path.insert(0, str(folder))
import chip_shootout as shootout  # noqa: E402

from dcsim import catalog  # noqa: E402

results, refused = shootout.compare(shootout.MODELS)
table = pd.DataFrame(row for result in results for row in shootout.as_rows(result))

# %% [markdown]
# ## Who runs what
#
# Neither network runs on all chips. A refusal names the resource that is short; each other row says in which form the
# network runs, and how well it reads digits there. An accuracy with a note is not of this very network, so that rows
# are not quite equals.

# %%
print(*refused, sep="\n")
columns = ["form", "precision", "accuracy", "accuracy_grade", "accuracy_note", "system"]
table[table.batch == 1].set_index(["model", "device"])[columns]

# %% [markdown]
# ## From the chip to its host
#
# Hollow: one digit at a time. Filled: 64 at a time. On the left, where chip papers measure, most neuromorphic chips
# need less than a GPU for a single digit. On the right the same digit is charged for its part of the board and of the
# host that waits beside it: the order is another one.

# %%
digits = [result for result in results if result.model == "mnist-256"]
shootout.boundary_figure(digits)

# %% [markdown]
# ## Where the energy goes
#
# For one digit, computing is a small part of it nearly everywhere: idle power, boards and hosts are paid by the
# second. So what counts is how long an inference holds them, and how many share them. In a batch, chips that hold
# many copies of the network share them best; chips whose steps last a millisecond by design hold them longest.

# %%
shootout.energy_figure(digits)

# %% [markdown]
# ## How much of the advantage survives
#
# Energy of an L4 over that of the chip, for the same digit at the same boundary: above 1 the chip needs less.

# %%
joules = table[table.model == "mnist-256"].set_index(["batch", "device"])[["chip_j", "board_j", "host_j"]]
ratio = pd.concat({batch: joules.loc[batch].loc["l4"] / joules.loc[batch] for batch in shootout.BATCHES}, axis=1)
ratio.dropna().drop(index=list(shootout.GPUS)).sort_values((1, "chip_j"), ascending=False).round(3)

# %% [markdown]
# ## One call of a host
#
# The time of a GPU holds one call of its host for each batch; so does NorthPole's, as an estimate, although the work
# itself is done in less than a microsecond. Loihi's host takes part in every step. The share of one digit's time that
# is spent so, at a batch of 1:

# %%
for line in shootout.notes(digits):
    print("-", line)
known = catalog.load()
calls = {"spiking": known.get("mnist-256")["snn_steps"], "dense": 1}
shares = {}
for result in digits:
    device = known.get(result.device)
    key = "host_call_s" if result.device in shootout.GPUS else "host_step_s"
    if key in device:
        shares[result.device] = calls[result.form] * device[key] / result.seconds[1]
pd.Series(shares, name="share of time").round(2)

# %% [markdown]
# ## A larger network
#
# The convolutional network spreads its events over a hundred steps of a millisecond: in steps of real time that takes
# a tenth of a second, however little there is to do.

# %%
shootout.boundary_figure([result for result in results if result.model == "mnist-cnn"])

# %% [markdown]
# ## On what the answer rests
#
# The share of the catalog numbers behind each row that are estimates or quoted from memory. Loihi 2's energies are
# all estimates; a difference of less than a factor of two says nothing there. An idle hall, power supplies and
# cooling are not in these figures: the notebook `first_steps` has them.

# %%
table[table.batch == 1].pivot_table(index="device", columns="model", values="weak_share").round(2)
