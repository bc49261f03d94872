"""A model of which the catalog has no layers, on a chip: as it was measured there, or by its operations alone.

It has no cores, links or steps that could be told; the figures that there are have the keys of `chip_summary.SUMMARY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dcsim.chip.execution import CAUSES
from dcsim.report import grids
from dcsim.report.chip_summary import spread
from dcsim.report.grids import Line
from dcsim.report.words import count, joules, percent, seconds, significant
from dcsim.service import SampledProfile, TokenProfile
from dcsim.units import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dcsim.catalog import Entry

_OPERATIONS = "dense form, by the operations and parameters of the catalog: it has no layers to place on cores"
_MEASURED = "as measured on this chip: tokens per second and joules per token, and no more"


def summary(
    profile: SampledProfile | TokenProfile, model: Entry, chip: Entry, *, grades: Mapping[str, int]
) -> dict[str, Any]:
    """Figures by the keys of `SUMMARY`. `grades`: how many catalog numbers of each grade were read for it."""
    from dcsim import __version__

    static_w = chip["static_w"] * profile.devices
    measured = isinstance(profile, TokenProfile)
    figures = _tokens(profile, static_w) if isinstance(profile, TokenProfile) else _inferences(profile)
    read = sum(grades.values())
    return {
        "network": {"name": model.name},
        "chip": {"name": chip.name, "mode": str(chip.facts["mode"])},
        "run": {"form": "measured" if measured else "dense", "version": __version__},
        "placement": {"chips": profile.devices, "at_once": profile.slots},
        **figures,
        "notes": [_MEASURED if measured else _OPERATIONS],
        "numbers": {"read": read, "shares": {grade: number / read for grade, number in grades.items()}},
    }


def _inferences(profile: SampledProfile) -> dict[str, Any]:
    """Latency, pace and energy of one inference with the chips to itself."""
    by_cause = {cause: profile.detail[cause] for cause in CAUSES}
    total, latency_s, interval_s = sum(by_cause.values()), profile.latency_s, profile.detail["interval_s"]
    active = float(profile.chip_j.mean())
    at_chip = active + by_cause["static"]
    at_board = at_chip + by_cause["io"]
    return {
        "latency_s": spread(latency_s),
        "interval_s": interval_s,
        "throughput_per_s": {"copy": 1.0 / interval_s, "chip": 1.0 / (interval_s * profile.devices)},
        "energy_j": {
            "total": total,
            "by_cause": by_cause,
            "active": active,
            "at": {"chip": at_chip, "board": at_board, "host": at_board + by_cause["host"]},
            "shared": total + by_cause["static"] * (interval_s / float(latency_s.mean()) - 1.0),
        },
        "power_w": total / float(latency_s.mean()),
    }


def _tokens(profile: TokenProfile, static_w: float) -> dict[str, Any]:
    """Time of a token of one request, and power and energy with as many requests as there is room for."""
    per_s = profile.slots / profile.per_output_s
    power_w = static_w + profile.chip_w * profile.slots
    return {
        "token_s": {"input": profile.per_input_s, "output": profile.per_output_s},
        "throughput_per_s": {"tokens": per_s},
        "energy_j": {"token": {"chips": power_w / per_s, "measured": profile.detail["measured_j_per_token"]}},
        "power_w": power_w,
    }


def table(summary: Mapping[str, Any]) -> RenderableType:
    """A summary for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    form = {"dense": "dense form", "measured": "as measured"}[summary["run"]["form"]]
    head = Text.assemble((f"{summary['network']['name']} on {summary['chip']['name']}", "bold"), f"  {form}")
    lines = _token_lines(summary) if "token_s" in summary else _inference_lines(summary)
    notes = [Text(f"note: {line}", style="yellow") for line in summary["notes"]]
    return Group(head, Text(), grids.grid(lines), Text(), *notes, Text(grids.numbers(summary), style="dim"))


def _inference_lines(summary: Mapping[str, Any]) -> Iterator[Line]:
    energy, place, rate = summary["energy_j"], summary["placement"], summary["throughput_per_s"]
    yield "latency", seconds(summary["latency_s"]["mean"]), ""
    yield "throughput", f"{significant(rate['copy'])}/s", f"{significant(rate['chip'])}/s per chip"
    yield "power", in_words(summary["power_w"], "W"), "energy over latency"
    yield "chips", count(place["chips"]), f"for its weights; inferences at a time: {place['at_once']}"
    causes = (f"{cause} {percent(value / energy['total'])}" for cause, value in energy["by_cause"].items() if value)
    yield "energy", joules(energy["total"]), ", ".join(causes)
    yield "above idle", joules(energy["active"]), "at the chips"
    yield "shared", joules(energy["shared"]), "with inferences one close behind the other"


def _token_lines(summary: Mapping[str, Any]) -> Iterator[Line]:
    token, energy, place = summary["token_s"], summary["energy_j"]["token"], summary["placement"]
    yield "output token", seconds(token["output"]), "of one request"
    yield "input token", seconds(token["input"]), ""
    yield "throughput", f"{significant(summary['throughput_per_s']['tokens'])}/s", "output tokens of all requests"
    yield "chips", count(place["chips"]), f"requests at a time: {place['at_once']}"
    yield "power", in_words(summary["power_w"], "W"), "of the chips, idle power included, with all requests"
    yield "energy", joules(energy["chips"]), f"of the chips per output token; {joules(energy['measured'])} as measured"
