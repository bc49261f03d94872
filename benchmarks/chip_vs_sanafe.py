"""dcsim's chip model beside SANA-FE 2.2.9: same networks, same machine, time per simulated step.

    python benchmarks/chip_vs_sanafe.py [NETWORK ...] [--repeats N] [--sanafe-python PATH] [--json]

SANA-FE: `pip install sanafe==2.2.9 pyyaml` into the Python of `--sanafe-python` (by default this one). Without it the
times that the case files hold are printed instead, which were taken on another machine. The networks are those of the
case files if DCSIM_DATA names a folder with cases/sanafe, else drawn here with the same structures. Loading a network
is in no time; each time is the shortest of the repeats. At the end: how many neuron updates per second the model makes
where it draws counts per core instead of spikes, on a full chip.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dcsim import catalog
from dcsim.chip import ChipSpec, Placement, SpikingNetwork, execute, execution, noc
from dcsim.chip.wiring import wire
from dcsim.validation import sanafe

HERE = Path(__file__).parent
DRIVER = HERE / "sanafe_run.py"
INSTALL = "pip install sanafe==2.2.9 pyyaml"
TARGETS = {"simple": 20.0, "detailed": 15.0}
TARGET_UPDATES_PER_S = 1e9

Arrays = dict[str, Any]


# ---------------------------------------------------------------- networks


def layered(seed: int, steps: int, sizes: Sequence[int], cores: Sequence[int], rates: Sequence[float]) -> Arrays:
    """Dense layers in equal slices on shuffled cores; the first layer is free inputs."""
    generator = np.random.default_rng(seed)
    first = np.cumsum([0, *sizes])
    ends = [
        np.indices(shape).reshape(2, -1) + first[n : n + 2].reshape(2, 1) for n, shape in enumerate(pairwise(sizes))
    ]
    order = generator.permutation(128)[: sum(cores)]
    slices = [np.arange(size) * count // size for size, count in zip(sizes, cores, strict=True)]
    at = np.cumsum([0, *cores])
    core = np.concatenate([order[at[n] + part] for n, part in enumerate(slices)])
    spikes = generator.random((steps, first[-1])) < np.repeat(rates, sizes)
    kind = np.repeat(np.arange(len(sizes)) > 0, sizes)
    return packed(*np.concatenate(ends, axis=1), core, kind, spikes)


def random(seed: int, steps: int, cores: int, each: int, fan_out: int, reached: int, rate: float) -> Arrays:
    """Every neuron to `fan_out` others on `reached` cores; rates gamma-distributed (shape 2) with the mean given."""
    generator = np.random.default_rng(seed)
    pre, post, core = scattered(generator, cores, each, fan_out, reached)
    rates = np.minimum(generator.gamma(2.0, rate / 2.0, cores * each), 0.9)
    return packed(pre, post, core, np.ones(len(core)), generator.random((steps, len(core))) < rates)


def leaky(seed: int, steps: int, cores: int, each: int, fan_out: int, reached: int) -> Arrays:
    """The same with leaky neurons: 30 % have a bias of 1 to 5, weights are +4 (80 %) or -16, the threshold is 64."""
    generator = np.random.default_rng(seed)
    pre, post, core = scattered(generator, cores, each, fan_out, reached)
    kind = np.full(len(core), 2)
    made = packed(pre, post, core, kind, np.zeros((steps, len(core)), dtype=bool))
    driven = generator.random(len(core)) < 0.3
    made["bias"] = np.where(driven, generator.integers(1, 6, len(core)), 0).astype(float)
    made["weight"] = np.where(generator.random(len(pre)) < 0.8, 4.0, -16.0)
    return made | {"threshold": np.float64(64.0)}


def scattered(
    generator: np.random.Generator, cores: int, each: int, fan_out: int, reached: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Synapses (pre, post) and cores; cores are spread over tiles."""
    neurons = cores * each
    chosen = np.argsort(generator.random((neurons, cores)), axis=1)[:, :reached]
    onto = np.repeat(chosen, fan_out // reached, axis=1)
    post = onto * each + generator.integers(0, each, onto.shape)
    pre = np.repeat(np.arange(neurons), onto.shape[1])
    spread = np.arange(128).reshape(32, 4).T.ravel()[:cores]
    return pre, post.ravel(), np.repeat(spread, each)


def packed(pre: np.ndarray, post: np.ndarray, core: np.ndarray, kind: np.ndarray, spikes: np.ndarray) -> Arrays:
    """Arrays of a case."""
    return {
        "pre": pre.astype(np.int32), "post": post.astype(np.int32), "core": core.astype(np.int16),
        "kind": kind.astype(np.int8), "raster": np.packbits(spikes, axis=1), "raster_shape": np.array(spikes.shape),
        "weight": np.zeros(len(pre)), "bias": np.zeros(len(core)), "threshold": np.float64(1.0),
        "leak": np.float64(1.0),
    }  # fmt: skip


NETWORKS: dict[str, Callable[[], Arrays]] = {
    "ff_small": lambda: layered(1, 1000, (64, 128, 10), (1, 1, 1), (0.1, 0.05, 0.02)),
    "kws_2x256": lambda: layered(2, 500, (390, 256, 256, 29), (2, 2, 2, 1), (0.2, 0.1, 0.1, 0.05)),
    "rand_1k": lambda: random(4, 500, 8, 128, 64, 4, 0.05),
    "lif_4k": lambda: leaky(9, 300, 16, 256, 64, 4),
    "rand_8k": lambda: random(5, 200, 32, 256, 128, 8, 0.02),
    "mlp_wide": lambda: layered(3, 200, (1024, 2048, 2048, 512, 10), (4, 16, 16, 4, 1), (0.1, 0.05, 0.05, 0.05, 0.02)),
    "rand_32k": lambda: random(6, 100, 128, 256, 64, 8, 0.02),
}


def archive(name: str, folder: Path) -> tuple[Path, dict[str, Any] | None]:
    """Arrays of a network, and what its case file recorded, if there is one."""
    recorded = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe" / f"{name}.npz"
    if os.environ.get("DCSIM_DATA") and recorded.is_file():
        return recorded, json.loads(recorded.with_suffix(".json").read_text(encoding="utf-8"))["results"]
    path = folder / f"{name}.npz"
    np.savez(path, **NETWORKS[name]())
    return path, None


# ---------------------------------------------------------------- times


def shortest(run: Callable[[], object], repeats: int) -> float:
    """Seconds of the quickest of some runs that take a second together, after one that does not count."""
    run()
    seconds: list[float] = []
    while len(seconds) < repeats or sum(seconds) < 1.0:
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def of_dcsim(path: Path, name: str, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds, energy and simulated time from exact rasters, with both timings."""
    case = sanafe.read(path, name)
    answer = {}
    for model, timing in (("simple", "barrier"), ("detailed", "message")):

        def run(timing: Any = timing) -> Any:
            spikes, updated = case.spikes, case.updated
            return execute(case.network, case.placement, case.chip, spikes=spikes, updates=updated, timing=timing)

        found = run()
        answer[model] = {
            "seconds": shortest(run, repeats),
            "energy_j": float(found.chip_j[0]),
            "time_s": float(found.latency_s[0]),
        }
    return answer


def of_sanafe(path: Path, python: str, repeats: int) -> dict[str, dict[str, float]]:
    """The same by the driver in another Python, which prints its answer as JSON in its last line."""
    command = [python, str(DRIVER), str(path), str(repeats)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def of_record(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The same from a case file."""
    return {
        model: {
            "seconds": results[model]["wall_s"],
            "energy_j": results[model]["energy"]["total"],
            "time_s": results[model]["sim_time"],
        }
        for model in TARGETS
    }


def updates_per_s(repeats: int, jobs: int = 64, steps: int = 100, each: int = 1024) -> float:
    """Neurons x steps x jobs per second of counts drawn at rates, on a full chip of 128 cores."""
    chip = replace(ChipSpec.of(catalog.load().get(sanafe.CHIP, kind="chip")), name="full")
    pre, post, core = scattered(np.random.default_rng(1), 128, each, 16, 8)
    network = SpikingNetwork.from_synapses(pre, post, neurons=len(core), steps=steps, rates=0.02)
    wiring = wire(network, Placement(core), chip)
    rates = execution.group_rates(network.rates, wiring)

    def run() -> None:
        generator = np.random.default_rng(1)
        fired = execution.sample_fired(rates, wiring, steps, jobs, generator)
        counts = execution.count(fired, wiring, generator=generator)
        execution.energy(counts, execution.step_times(counts, wiring, chip), wiring, chip)

    return network.size * steps * jobs / shortest(run, repeats)


def has_sanafe(python: str) -> bool:
    """Whether a Python can import SANA-FE."""
    try:
        done = subprocess.run([python, "-c", "import sanafe, yaml"], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sanafe-python", default=sys.executable)
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of tables")
    options = parser.parse_args()
    if unknown := set(options.networks) - set(NETWORKS):
        parser.error(f"found network {min(unknown)!r}, want one of {', '.join(NETWORKS)}")
    here = has_sanafe(options.sanafe_python)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks or NETWORKS:
            path, results = archive(name, Path(folder))
            with np.load(path, allow_pickle=False) as arrays:
                steps = int(arrays["raster_shape"][0])
            theirs = None
            if here:
                theirs = of_sanafe(path, options.sanafe_python, options.repeats)
            elif results is not None:
                theirs = of_record(results)
            rows.append(compared(name, steps, of_dcsim(path, name, options.repeats), theirs))
            if not options.json:
                show(rows[-1], first=len(rows) == 1, here=here)
    document = {"networks": rows, "sanafe_ran_here": here, "medians": medians(rows), "numba": noc.compiled()}
    document["neuron_updates_per_s"] = updates_per_s(options.repeats)
    if options.json:
        print(json.dumps(document))
    else:
        conclude(document)


def compared(name: str, steps: int, ours: dict[str, Any], theirs: dict[str, Any] | None) -> dict[str, Any]:
    """One row: microseconds per simulated step, ratios, and how far the answers are apart."""
    row: dict[str, Any] = {"network": name, "steps": steps}
    for model in TARGETS:
        row[model] = {"dcsim_us": ours[model]["seconds"] / steps * 1e6}
        if theirs is not None:
            row[model] |= {
                "sanafe_us": theirs[model]["seconds"] / steps * 1e6,
                "ratio": theirs[model]["seconds"] / ours[model]["seconds"],
                "energy_error": ours[model]["energy_j"] / theirs[model]["energy_j"] - 1.0,
                "time_error": ours[model]["time_s"] / theirs[model]["time_s"] - 1.0,
            }
    return row


def medians(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Median of the ratios of each timing model, where there are any."""
    ratios = {model: [row[model]["ratio"] for row in rows if "ratio" in row[model]] for model in TARGETS}
    return {model: statistics.median(found) for model, found in ratios.items() if found}


def show(row: dict[str, Any], *, first: bool, here: bool) -> None:
    """A row of the table, with its heading before the first one."""
    if first:
        if not here:
            print(f"SANA-FE is not installed: {INSTALL}. Its times below, if any, were recorded elsewhere.")
        print("microseconds per simulated step, and how far dcsim's energy and simulated time are from SANA-FE's")
        columns = ("SANA-FE", "dcsim", "ratio", "energy", "time")
        print(f"{'network':10s} {'timing':>9s} " + " ".join(f"{column:>10s}" for column in columns))
    for model in TARGETS:
        cells = row[model]
        line = f"{row['network']:10s} {model:>9s} "
        if "ratio" in cells:
            line += f"{cells['sanafe_us']:10.1f} {cells['dcsim_us']:10.1f} {cells['ratio']:9.0f}x "
            line += f"{cells['energy_error']:+10.1e} {cells['time_error']:+10.1e}"
        else:
            line += f"{'-':>10s} {cells['dcsim_us']:10.1f}"
        print(line + ("" if here or "ratio" not in cells else "  recorded elsewhere"), flush=True)


def conclude(document: dict[str, Any]) -> None:
    """Medians and the rate of counts, each beside its target."""
    if not document["numba"]:
        print("numba is not installed: message timing ran uncompiled")
    for model, ratio in document["medians"].items():
        print(f"median ratio, {model}: {ratio:.0f}x (target {TARGETS[model]:.0f}x)")
    rate = document["neuron_updates_per_s"]
    print(f"counts per core, 128 cores, 64 jobs x 100 steps: {rate:.2g} neuron updates/s ", end="")
    print(f"(target {TARGET_UPDATES_PER_S:.0e})")


if __name__ == "__main__":
    main()
