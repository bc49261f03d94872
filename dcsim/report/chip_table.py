"""What `dcsim chip run` prints for people: the figures of `chip_summary` in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dcsim.report import grids
from dcsim.report.chip import LIMIT_WORDS
from dcsim.report.chip_mesh import percent
from dcsim.report.grids import Line
from dcsim.report.words import count, find, joules, number, seconds, significant
from dcsim.units import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable


_BOUNDARIES = {"chip": "chips, idle power included", "board": "with the board", "host": "with the host"}


def run_table(summary: Mapping[str, Any]) -> RenderableType:
    """A run's summary (`chip_summary.summary`) for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    network, chip = summary["network"], summary["chip"]
    head = Text.assemble((f"{network['name']} on {chip['name']}", "bold"), f"  {_head(summary)}")
    blocks: list[RenderableType] = [head, Text(), grids.grid(_figures(summary)), Text(), _energy(summary)]
    blocks += [Text(), grids.grid(_events(summary)), Text()]
    blocks += [Text(f"faster: {line}") for line in summary["advice"]]
    blocks += [Text(f"note: {line}", style="yellow") for line in summary["notes"]]
    blocks.append(Text(grids.numbers(summary), style="dim"))
    return Group(*blocks)


def _head(summary: Mapping[str, Any]) -> str:
    network, inferences = summary["network"], summary["run"]["inferences"]
    sizes = ", ".join(_counted(network[f"{what}s"], what) for what in ("neuron", "synapse", "step"))
    return sizes + (f", mean of {inferences:,} inferences" if inferences > 1 else "")


def _figures(summary: Mapping[str, Any]) -> Iterator[Line]:
    several = summary["run"]["inferences"] > 1
    latency, step = summary["latency_s"], summary["step_s"]
    place, used = summary["placement"], summary["utilisation"]
    yield "latency", seconds(latency["mean"]), _percentiles(latency) if several else ""
    waits = (f"{LIMIT_WORDS[name]} {percent(share['steps'])}" for name, share in summary["limits"].items())
    yield "time step", seconds(step["mean"]), f"longest {seconds(step['max'])}; waits for {', '.join(waits)}"
    if summary["overrun_share"]:
        yield "overruns", percent(summary["overrun_share"]), "of the steps did not fit the tick and were stretched"
    rate = {key: f"{significant(value)}/s" for key, value in summary["throughput_per_s"].items()}
    if rate:
        yield "throughput", rate["copy"], f"one copy; {rate['chip']} per chip, {place['at_once']} at a time"
    if (power := number(summary.get("power_w"))) is not None:
        yield "power", in_words(power, "W"), "energy over latency"
    where = (
        f"{percent(used['cores'])} of those on {_counted(place['chips'], 'chip')}, {_counted(place['tiles'], 'tile')}"
    )
    fits = f"; a chip holds {place['copies']} copies" if place["copies"] > 1 else ""
    yield "cores", count(place["cores"]), where + fits
    busiest = number(used.get("busiest_core"))
    detail = f"mean of the cores in use; busiest {percent(busiest)}" if busiest is not None else ""
    full = number(used.get("neurons"))
    yield "cores busy", percent(used["busy"]), detail + (f"; neurons fill {percent(full)}" if full is not None else "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _percentiles(spread: Mapping[str, float]) -> str:
    return f"p50 {seconds(spread['p50'])}, p99 {seconds(spread['p99'])}, longest {seconds(spread['max'])}"


def _energy(summary: Mapping[str, Any]) -> RichTable:
    """Energy by cause beside energy by boundary."""
    from rich.table import Table
    from rich.text import Text

    energy = summary["energy_j"]
    total = energy["total"]
    grid = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(Text("energy per inference"), no_wrap=True, style="bold")
    grid.add_column("", justify="right", no_wrap=True)
    grid.add_column(Text("share"), justify="right", no_wrap=True)
    grid.add_column(Text("counted at"), overflow="fold")
    grid.add_column("", justify="right", no_wrap=True)
    spent = [(cause, value) for cause, value in energy["by_cause"].items() if value > 0.0]
    parts = [(cause, joules(value), _share(value / total) if total else "") for cause, value in spent]
    parts.append(("total", joules(total), ""))
    places = [("chips above idle", joules(energy["active"]))]
    places += [(text, joules(energy["at"][key])) for key, text in _BOUNDARIES.items()]
    places.append(("with all copies at work", joules(energy["shared"])))
    for key, text in (("per_synop_active", "above idle"), ("per_synop_total", "in all")):
        if (value := find(energy, key)) is not None:
            places.append((f"per synaptic operation, {text}", joules(value)))
    for row in range(max(len(parts), len(places))):
        left = parts[row] if row < len(parts) else ("", "", "")
        right = places[row] if row < len(places) else ("", "")
        grid.add_row(*(Text(cell) for cell in (*left, *right)))
    return grid


def _share(value: float) -> str:
    if value < 0.0005 or 0.9995 <= value < 1.0:
        return "< 0.1 %" if value < 0.5 else "> 99.9 %"
    return f"{value * 100:.1f} %"


def _events(summary: Mapping[str, Any]) -> Iterator[Line]:
    events = {key: _events_words(value) for key, value in summary["events"].items()}
    yield (
        "spikes",
        events["spikes"],
        f"from neurons; {events['spikes_in']} from inputs, {events['spikes_out']} read out",
    )
    yield "synaptic operations", events["synops"], ""
    crossings = f", {events['chip_crossings']} chip borders" if summary["events"]["chip_crossings"] else ""
    yield "messages", events["messages"], f"over {events['hops']} hops{crossings}"
    yield "neuron updates", events["updates"], ""


def _events_words(value: float) -> str:
    """Events of one inference: whole from 100, else three digits."""
    return count(round(value)) if value >= 100 else significant(value)
