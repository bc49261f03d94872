"""How a language model may be split over the GPUs of a replica, and how often its cache then exists.

Tensor parallelism deals whole attention heads to the GPUs. A key-value head that several GPUs need is held by each of
them: of H key-value heads, D GPUs hold D / min(D, H) copies of the cache. Latent attention (DeepSeek) has one head, so
that every GPU holds the whole cache.
"""

from __future__ import annotations

from collections.abc import Callable

from dcsim.catalog import Entry
from dcsim.errors import PlacementError

#: Most GPUs that share a layer: today's largest group with one kind of link between them has 72.
MOST = 64


def cache_copies(model: Entry, devices: int) -> float:
    """Copies of the key-value cache on so many GPUs."""
    return devices / min(devices, model["kv_heads"]) if "kv_heads" in model else 1.0


def allowed(model: Entry) -> list[int]:
    """Counts of GPUs that can share the layers of a language model, from 1.

    They divide its width and that of its attention, and each GPU has as many key-value heads as the others.
    """
    widths = [int(model[key]) for key in ("model_width", "attention_width") if key in model]
    heads = int(model.get("kv_heads", 0.0))
    return [
        count
        for count in range(1, MOST + 1)
        if all(width % count == 0 for width in widths) and (heads % count == 0 or count % heads == 0)
    ]


def require(what: str, model: Entry, devices: int) -> None:
    """Raise PlacementError for a count of GPUs that cannot share the layers of `model`; `what` says where it stands."""
    counts = allowed(model)
    if devices not in counts:
        listed = ", ".join(map(str, counts))
        raise PlacementError(
            f"{what}: found {devices:,}; the layers of model '{model.name}' split over {listed} GPUs of a node or rack"
        )


def smallest(model: Entry, fits: Callable[[int], bool]) -> str:
    """The words `smallest count that fits: N`, of the counts that are allowed."""
    found = next((count for count in allowed(model) if fits(count)), None)
    return "no count fits" if found is None else f"smallest count that fits: {found}"
