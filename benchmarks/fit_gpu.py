"""Fits the GPU numbers of the catalog to public measurements and prints them with their errors.

    DCSIM_DATA=FOLDER python benchmarks/fit_gpu.py [--leave-one-out]

FOLDER/data/gpu holds aic_gemm_power_sample.csv.gz (matrix products on H200 and B200 with latency and power;
ai-dynamo/aiconfigurator, Apache-2.0), mlenergy_v3.csv.gz (models served by vLLM, and image generation, on H100 and
B200; ml-energy/leaderboard, 2026-02-16) and splitwise_perf_model.csv (Llama 2 70B and BLOOM on A100 and H100;
Mutinifni/splitwise-sim, MIT). The fits, in the order in which they are printed, are modules of `gpu_fits`:

1. `products`: median efficiency of large ones, bound by compute and by memory, per GPU and format.
2. `decoding` and `power`: overheads per step, layer and sequence, and power, from ML.ENERGY's rows of text tasks,
   with the efficiencies of step 1 as priors. The models in `rows.HELD_OUT` are never fitted: `dcsim validate gpu`
   tests on them. With --leave-one-out every other network is left out in turn too, with all its tasks and formats.
   Power of H200 is from its products, that of A100 from Splitwise's decoding.
3. `stack`: the serving stack of 2023, from Splitwise's rows.
4. `images`: the share of the peak that image models reach, from ML.ENERGY's rows on one GPU.
5. `training`: the share of the peak while a GPU computes in training, from NVIDIA's published recipes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gpu_fits import images, power, products, stack, training
from gpu_fits.decoding import Parameters, fit_times, named, run
from gpu_fits.rows import HELD_OUT, FloatArray, Rows, read_rows

from dcsim import catalog
from dcsim.catalog import Catalog


def errors(rows: Rows, p: Parameters, fitted: power.Power, known: Catalog) -> dict[str, FloatArray]:
    """Relative errors of the time between tokens, J/token and power, shapes (n,)."""
    got = run(rows, p)
    watts = power.served_w(rows, p, fitted, known)
    token_j, measured_j = watts * got.step_s, rows["power_w"] * rows["step_s"]
    return {
        "ITL": got.itl_s / rows["itl_s"] - 1.0,
        "J/token": token_j / measured_j - 1.0,
        "power": watts / rows["power_w"] - 1.0,
    }


def told(found: Mapping[str, FloatArray], keep: npt.NDArray[np.bool_]) -> str:
    """Median and 90th percentile of each absolute error."""
    parts = [
        f"{name} {100 * np.median(np.abs(values[keep])):.1f} / {100 * np.quantile(np.abs(values[keep]), 0.9):.1f} %"
        for name, values in found.items()
    ]
    return f"{keep.sum():4d} rows: {', '.join(parts)}"


def leave_one_out(
    rows: Rows, usable: npt.NDArray[np.bool_], start: FloatArray, known: Catalog
) -> dict[str, FloatArray]:
    """Errors of every row of the fitted networks, each from a fit without its network."""
    found: dict[str, FloatArray] = {name: np.full(len(rows), np.nan) for name in ("ITL", "J/token", "power")}
    for network in sorted(set(rows.network.tolist()) - HELD_OUT):
        train = rows.where(usable & (rows.network != network))
        p = named(fit_times(train, start, 12))
        own = rows.network == network
        for name, values in errors(rows.where(own), p, power.fit_served(train, p, known), known).items():
            found[name][own] = values
        sys.stdout.write(
            f"  without {network:22s} {told({n: v[own] for n, v in found.items()}, ~rows.stalled[own])}\n"
            if (~rows.stalled[own]).any()
            else ""
        )
    return found


def decoding(path: Path, known: Catalog, *, leave_out: bool) -> None:
    """Print the fit of step 2 and its errors."""
    rows = read_rows(path, known)
    held = np.isin(rows.network, sorted(HELD_OUT))
    usable = ~rows.stalled & ~held
    x = fit_times(rows.where(usable))
    p = named(x)
    for name, value in p.items():
        sys.stdout.write(f"  {name:36s} {value:.4g}\n")
    fitted = power.fit_served(rows.where(usable), p, known)
    for gpu, (compute, memory) in fitted.items():
        sys.stdout.write(f"  power {gpu}: compute {compute:.0f} W, memory {memory:.0f} W\n")
    found = errors(rows, p, fitted, known)
    for title, keep in (
        ("fitted", usable),
        ("held out", held & ~rows.stalled),
        ("held out, stalled", held & rows.stalled),
    ):
        for gpu in sorted(set(rows.gpu[keep].tolist())):
            sys.stdout.write(f"{title}, {gpu}: {told(found, keep & (rows.gpu == gpu))}\n")
    other_power(rows.where(usable & (rows.gpu == "h100-sxm")), p, path.parent, known)
    if leave_out:
        apart = leave_one_out(rows, usable, x, known)
        apart = {name: np.where(held, found[name], values) for name, values in apart.items()}
        for title, keep in (("steady", ~rows.stalled), ("stalled", rows.stalled), ("all", rows.stalled | True)):
            sys.stdout.write(f"models not used, {title}: {told(apart, keep)}\n")


def other_power(served: Rows, p: Parameters, folder: Path, known: Catalog) -> None:
    """Print the power of H200, and what it says of models served on H100, the same die; and that of A100."""
    h200, h100 = known.get("h200-sxm"), known.get("h100-sxm")
    table = products.read(folder / "aic_gemm_power_sample.csv.gz", known)
    compute, memory, watts = products.shares(table, known, "h200-sxm", power.LONG_S)
    numbers = power.fit(h200, compute, memory, watts)
    off_w, got = power.form(h200, numbers, compute, memory) - watts, run(served, p)
    elsewhere = power.mean_w(h100, numbers, got) / served["power_w"] - 1.0
    own, there = np.abs(off_w / watts), np.abs(elsewhere)
    sys.stdout.write(
        f"  power h200-sxm: compute {numbers[0]:.0f} W, memory {numbers[1]:.0f} W; {len(watts)} products:"
        f" {100 * np.median(own):.1f} % (median), {np.abs(off_w).mean():.0f} W (mean); served on H100:"
        f" {100 * np.median(there):.0f} % (median), {100 * np.quantile(there, 0.9):.0f} % (90th percentile),"
        f" bias {100 * np.median(elsewhere):+.0f} %\n"
    )
    reading_w, off = power.fit_old_decoding(folder / "splitwise_perf_model.csv", known)
    sys.stdout.write(
        f"  power a100-sxm-80: memory {reading_w:.0f} W; {len(off)} settings:"
        f" {100 * np.median(np.abs(off)):.1f} % (median), {100 * np.abs(off).max():.1f} % (largest)\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 2 without the data."""
    parser = argparse.ArgumentParser(description="Fit the GPU numbers of the catalog to public measurements.")
    parser.add_argument("--leave-one-out", action="store_true", help="also fit without each network in turn")
    wanted = parser.parse_args(argv)
    if "DCSIM_DATA" not in os.environ:
        sys.stderr.write("set DCSIM_DATA to the folder with data/gpu\n")
        return 2
    folder, known = Path(os.environ["DCSIM_DATA"]) / "data" / "gpu", catalog.load()
    table = products.table(products.read(folder / "aic_gemm_power_sample.csv.gz", known))
    sys.stdout.write("\n".join(["matrix products", *table, ""]))
    sys.stdout.write("decoding\n")
    decoding(folder / "mlenergy_v3.csv.gz", known, leave_out=wanted.leave_one_out)
    sys.stdout.write("\nserving stack of 2023\n")
    stack.old_stack(folder / "splitwise_perf_model.csv", known)
    table = images.table(images.read(folder / "mlenergy_v3.csv.gz", known), known)
    sys.stdout.write("\n".join(["", "image generation", *table, "", "training in fp8", ""]))
    for recipe, share in zip(training.RECIPES, training.shares(known), strict=True):
        sys.stdout.write(f"  {recipe.name:14s} {share:.3f} of the peak while computing\n")
    sys.stdout.write(f"  training_efficiency_fp8 {training.efficiency(known):.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
