"""Dense models on GPUs: a catalog model and a catalog GPU to the ServiceProfile that jobs are drawn from.

>>> from dcsim import catalog
>>> from dcsim.gpu import gpu_profile
>>> known = catalog.load()
>>> profile = gpu_profile(known.get("resnet-50"), known.get("h100-sxm"), precision="int8", batch=64)
>>> profile.slots
64
"""

from __future__ import annotations

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu.training import training_profile
from dcsim.gpu.vision import batch_profile
from dcsim.service import ServiceProfile

__all__ = ["gpu_profile"]


def gpu_profile(
    model: Entry,
    gpu: Entry,
    *,
    precision: str | None = None,
    batch: int | None = None,
    devices: int = 1,
    training_samples: float | None = None,
    utilisation: float | None = None,
) -> ServiceProfile:
    """What jobs of `model` ask of `gpu`: time, power above idle, slots.

    With training_samples: one training run (tokens or samples) on `devices` whole GPUs at model FLOP
    utilisation `utilisation` (the catalog's when None). Else a model with a key-value cache is a language
    model, served at a full batch with tensor parallelism over `devices`; a model with FLOP per sample runs by
    the batch.

    precision: bf16, fp16, fp8, ...; None takes the model's own, or the 16-bit one of a GPU that lacks it.
    batch: jobs at the same time; None takes the model's default, cut to what the memory holds.
    Power is above the GPU's idle power; `chip_curve_w` is of one device, shape (slots + 1,). Raises
    PlacementError when the model has no such form, does not fit the memory (with the smallest count that
    does), or the GPU does not compute in the precision; CatalogError when an entry lacks a number that the
    model needs.
    """
    for entry, kind in ((model, "model"), (gpu, "gpu")):
        if entry.kind != kind:
            raise PlacementError(f"'{entry.name}' is a {entry.kind}; want a {kind}")
    if devices < 1:
        raise PlacementError(f"model '{model.name}': devices is {devices}; want at least 1")
    language = "kv_bytes_per_token" in model
    forms = model.facts.get("forms", ["dense"])
    known = [str(form) for form in forms] if isinstance(forms, list) else [str(forms)]
    if "dense" not in known or not (language or "flop_per_sample" in model):
        raise PlacementError(f"model '{model.name}' has no form that a GPU runs (forms: {', '.join(known)})")
    if training_samples is not None:
        return training_profile(
            model,
            gpu,
            precision=precision,
            devices=devices,
            samples=training_samples,
            utilisation=utilisation,
        )
    if not language:
        return batch_profile(model, gpu, precision=precision, batch=batch, devices=devices)
    raise PlacementError(f"model '{model.name}' is a language model: a replica of dcsim.gpu.serving runs it")
