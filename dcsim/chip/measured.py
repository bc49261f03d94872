"""Language models that are known only as measured on one kind of device: tokens per second and joules per token."""

from __future__ import annotations

from dcsim.catalog import Entry
from dcsim.chip.facts import words_of
from dcsim.errors import PlacementError
from dcsim.service import TokenProfile


def is_measured(model: Entry, chip: Entry) -> bool:
    """Whether the catalog has the model as measured on this chip.

    Raises PlacementError for a model that is known in no other way, and was measured on others.
    """
    forms, devices = words_of(model, "forms"), words_of(model, "devices")
    if "measured" in forms and chip.name in devices:
        return True
    if forms == ["measured"]:
        raise PlacementError(f"{model.name}: known only as measured on {', '.join(devices)}, not on {chip.name}")
    return False


def profile(model: Entry, chip: Entry, max_chips: int | None) -> TokenProfile:
    """Requests at the measured rates: a prompt token after the other, then the answer, on as many chips as measured.

    The chips draw what was measured per token, less their idle power; where that was measured with hosts and racks,
    their busy power of the catalog bounds it. Where no rate of prompts is known, they run at that of answers. Raises
    PlacementError when there are fewer than `max_chips`.
    """
    name = chip.name
    devices, users = int(model[f"devices_{name}"]), int(model.get(f"users_{name}", 1.0))
    if max_chips is not None and devices > max_chips:
        raise PlacementError(f"{model.name} on chip {name}: was measured on {devices} chips, has {max_chips}")
    rate = model[f"tokens_per_s_{name}"]
    measured_w = model[f"energy_j_per_token_{name}"] * rate
    static_w = chip["static_w"] * devices
    busy_w = min(measured_w, chip.get("active_w", measured_w) * devices)
    return TokenProfile(
        per_input_s=1.0 / model.get(f"prefill_tokens_per_s_{name}", rate),
        per_output_s=model.get(f"inter_token_s_{name}", users / rate),
        chip_w=max(0.0, busy_w - static_w) / users,
        slots=users,
        devices=devices,
        detail={"measured_j_per_token": measured_w / rate, "chip_j_per_token": busy_w / rate},
    )
