"""Training runs on a gang of GPUs: time from the FLOP of the run, energy from the mean power of its GPUs.

    seconds = 6 P tokens / (N peak MFU)          language models, P active parameters
    seconds = 3 FLOP_per_sample samples / (...)  other networks: a backward pass costs two forward ones

The MFU of the catalog is of the whole run: communication, checkpoints and restarts are in it. `Gang` takes these apart:
a step of given work is computing, the slowest of n GPUs, and the communication that computing does not hide; a run is
its steps, its checkpoints and what failures throw away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import memory
from dcsim.gpu.roofline import choose_precision, peak_flop_per_s
from dcsim.service import SampledProfile

#: Weights, gradients and Adam's moments in mixed precision, sharded over the gang (ZeRO, arXiv 1910.02054).
BYTES_PER_PARAMETER = 16.0
#: Of these a checkpoint holds the 32-bit weights and both moments, and the 16-bit weights.
CHECKPOINT_BYTES_PER_PARAMETER = 14.0
_GRADIENT_BYTES = 2.0


def run_flop(model: Entry, samples: float) -> float:
    """FLOP of a training run over `samples` tokens (language models) or samples (other networks)."""
    if "kv_bytes_per_token" in model:
        return 6.0 * model.get("active_parameters", model["parameters"]) * samples
    return 3.0 * model["flop_per_sample"] * samples


def run_s(flop: float, devices: int, flop_per_s: float, utilisation: float) -> float:
    """Time of a run, s: flop / (devices x flop_per_s x utilisation)."""
    return flop / (devices * flop_per_s * utilisation)


# ---------------------------------------------------------------- a step of a gang


@dataclass(frozen=True)
class Gang:
    """GPUs that step together, over nodes. Numbers below 0, or no GPU, are errors of the caller's scenario."""

    devices: int
    compute_share: float
    """share of the peak rate while a GPU computes, communication not counted"""
    step_spread: float = 0.0
    """coefficient of variation of one GPU's step time"""
    overlap: float = 0.0
    """share of the communication that computing hides"""
    link_bytes_per_s: float = math.inf
    """of one GPU, one way, to the GPUs of other nodes (network card)"""
    checkpoint_s: float = 0.0
    """that all GPUs wait for one checkpoint"""
    failure_s: float = math.inf
    """mean time between failures of one GPU with its share of the node"""
    restart_s: float = 0.0
    """from a failure to the first step after it"""

    def __post_init__(self) -> None:
        """Raise PlacementError for a gang that cannot step."""
        if self.devices < 1:
            raise PlacementError(f"gang: devices is {self.devices}; want at least 1")
        for name, low, high in (("compute_share", 0.0, 1.0), ("step_spread", -1.0, 1.0), ("overlap", -1.0, 1.0)):
            value = getattr(self, name)
            if not low < value <= high or value < 0.0:
                raise PlacementError(f"gang: {name} is {value:g}; allowed: 0 to 1")


@dataclass(frozen=True)
class Step:
    """One step of a gang, s."""

    compute_s: float
    straggler_s: float
    """that the others wait for the slowest"""
    exposed_s: float
    """communication that is not hidden"""

    @property
    def seconds(self) -> float:
        return self.compute_s + self.straggler_s + self.exposed_s


def expected_maximum(count: int) -> float:
    """Expected largest of `count` standard normal numbers (Blom 1958): quantile (n - .375) / (n + .25); 0 for one.

    Within .03 of the exact value for every count (2: .59 for .564; 100: 2.50 for 2.508).
    """
    return 0.0 if count == 1 else NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def step(gang: Gang, flop: float, flop_per_s: float, gradient_bytes: float) -> Step:
    """A step of `flop` over the gang, at a peak of `flop_per_s` per GPU.

    Gradients cross the links in a ring all-reduce, 2 (n - 1) / n of them each way.
    """
    compute = run_s(flop, gang.devices, flop_per_s, gang.compute_share)
    moved = 2.0 * (gang.devices - 1) / gang.devices * gradient_bytes
    exposed = (1.0 - gang.overlap) * moved / gang.link_bytes_per_s
    return Step(compute, compute * gang.step_spread * expected_maximum(gang.devices), exposed)


def model_step(model: Entry, gpu: Entry, gang: Gang, samples: float, precision: str | None = None) -> Step:
    """A step of `samples` tokens or samples (the global batch) of `model`; 16-bit gradients.

    Embedding tables are spread over the gang, so that only the gradients of the dense part beside them are exchanged.
    """
    peak = peak_flop_per_s(gpu, choose_precision(model, gpu, precision))
    exchanged = model["active_parameters" if "gather_bytes_per_sample" in model else "parameters"]
    return step(gang, run_flop(model, samples), peak, _GRADIENT_BYTES * exchanged)


def mfu(taken: Step) -> float:
    """Share of a step that its arithmetic would take alone, over the share that the GPUs reach while they compute."""
    return taken.compute_s / taken.seconds


# ---------------------------------------------------------------- checkpoints and failures


def checkpoint_s(model: Entry, bytes_per_s: float) -> float:
    """Time to write one checkpoint at the storage's rate, s."""
    if not bytes_per_s > 0:
        raise PlacementError(f"checkpoint of '{model.name}': storage rate is {bytes_per_s:g} B/s; want more than 0")
    return CHECKPOINT_BYTES_PER_PARAMETER * model["parameters"] / bytes_per_s


def best_interval_s(gang: Gang) -> float:
    """Computing between two checkpoints that loses least, s: sqrt(2 C M) - C (Young 1974, Daly 2006).

    C is the time of a checkpoint, M the mean time between failures of the whole gang; infinite without either.
    Valid while C is small against M (below 2 M).
    """
    between = gang.failure_s / gang.devices
    if math.isinf(between) or gang.checkpoint_s == 0.0:
        return math.inf if math.isinf(between) else 0.0
    return max(math.sqrt(2.0 * gang.checkpoint_s * between) - gang.checkpoint_s, gang.checkpoint_s)


def useful_share(gang: Gang, interval_s: float | None = None) -> float:
    """Share of a run's time that is steps, with checkpoints every `interval_s` of computing (the best when None).

    Time per useful second (Daly 2006, failures exponential with mean M, restart R):
    M e^(R/M) (e^((t + C)/M) - 1) / t.
    """
    interval = best_interval_s(gang) if interval_s is None else interval_s
    between = gang.failure_s / gang.devices
    if math.isinf(between):
        return 1.0 if math.isinf(interval) else interval / (interval + gang.checkpoint_s)
    if not interval > 0.0:
        return math.exp(-gang.restart_s / between)
    lost = between * math.exp(gang.restart_s / between) * math.expm1((interval + gang.checkpoint_s) / between)
    return interval / lost


def energy_kwh(devices: float, seconds: float, device_w: float, pue: float = 1.0) -> float:
    """Energy of a run, kWh: devices x power x time x PUE."""
    return devices * device_w * seconds * pue / 3.6e6


# ---------------------------------------------------------------- as a job


def training_profile(
    model: Entry,
    gpu: Entry,
    *,
    precision: str | None,
    devices: int,
    samples: float,
    utilisation: float | None,
) -> SampledProfile:
    """One training run as a job that holds `devices` whole GPUs; see `dcsim.gpu.gpu_profile`."""
    if not (np.isfinite(samples) and samples > 0):
        raise PlacementError(f"model '{model.name}': training samples are {samples:g}; want more than 0")
    if utilisation is None:
        if "training_mfu" not in model:
            raise PlacementError(f"model '{model.name}' has no training_mfu in the catalog; give a utilisation")
        utilisation = model["training_mfu"]
    if not 0 < utilisation <= 1:
        raise PlacementError(f"model '{model.name}': utilisation is {utilisation:g}; allowed: above 0, at most 1")
    memory.require_fit(
        f"training '{model.name}' (16 bytes per parameter)",
        BYTES_PER_PARAMETER * model["parameters"],
        gpu,
        devices,
    )
    chosen = choose_precision(model, gpu, precision)
    seconds = run_s(run_flop(model, samples), devices, peak_flop_per_s(gpu, chosen), utilisation)
    above_w = max(0.0, gpu["training_power_share"] * gpu["tdp_w"] - gpu["idle_w"])
    return SampledProfile(
        latency_s=np.array([seconds]),
        chip_j=np.array([above_w * devices * seconds]),
        host_w=gpu["host_active_w"] * devices,
        devices=devices,
        slots=1,
        chip_curve_w=np.array([0.0, above_w]),
        detail={
            "flop": run_flop(model, samples),
            "utilisation": utilisation,
            "device_w": above_w + gpu["idle_w"],
            "device_hours": seconds * devices / 3600.0,
        },
    )
