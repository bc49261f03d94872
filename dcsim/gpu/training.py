"""Training runs on whole GPUs: time from the FLOP of the run, energy from the mean power of its GPUs.

    seconds = 6 P tokens / (N peak MFU)          language models, P active parameters
    seconds = 3 FLOP_per_sample samples / (...)  other networks: a backward pass costs two forward ones

The MFU of the catalog is of the whole run: communication, checkpoints and restarts are in it. `dcsim.gpu.gang` takes a
step apart, `dcsim.gpu.checkpoints` a run.
"""

from __future__ import annotations

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import memory
from dcsim.gpu.roofline import choose_precision, peak_flop_per_s
from dcsim.service import SampledProfile

#: Weights, gradients and Adam's moments in mixed precision, sharded over the gang (ZeRO, arXiv 1910.02054).
BYTES_PER_PARAMETER = 16.0


def run_flop(model: Entry, samples: float) -> float:
    """FLOP of a training run over `samples` tokens (language models) or samples (other networks).

    Raises PlacementError for a network that answers in several passes, such as the steps of a diffusion: it learns one
    pass of a sample at a time, which is not modelled.
    """
    if model.get("passes", 1.0) > 1.0:
        raise PlacementError(
            f"model '{model.name}' answers in {model['passes']:.0f} passes; training of such a model is not modelled"
        )
    if "kv_bytes_per_token" in model:
        return 6.0 * model.get("active_parameters", model["parameters"]) * samples
    return 3.0 * model["flop_per_sample"] * samples


def run_s(flop: float, devices: int, flop_per_s: float, utilisation: float) -> float:
    """Time of a run, s: flop / (devices x flop_per_s x utilisation)."""
    return flop / (devices * flop_per_s * utilisation)


def energy_kwh(devices: float, seconds: float, device_w: float, pue: float = 1.0) -> float:
    """Energy of a run, kWh: devices x power x time x PUE."""
    return devices * device_w * seconds * pue / 3.6e6


def require_fit(model: Entry, gpu: Entry, devices: int) -> None:
    """Raise PlacementError, with the count that would do, when the state of a run does not fit `devices` GPUs."""
    needed = BYTES_PER_PARAMETER * model["parameters"]
    memory.require_fit(f"training '{model.name}' (16 bytes per parameter)", needed, gpu, devices)


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
    require_fit(model, gpu, devices)
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
