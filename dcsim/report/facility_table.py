"""What `dcsim facility` prints for people: the figures of `facility_summary` in words, and the names to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcsim.report import grids
from dcsim.report.grids import Line
from dcsim.report.words import kilowatt_hours, litres, percent, ratio, significant, three
from dcsim.units import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

Summary = Mapping[str, Any]

#: What each kind of plant does with the heat.
PLANT_WORDS = {
    "water-chiller": "air handlers, water-cooled chillers, towers",
    "water-economizer": "the same; tower water does the chillers' work when it is cold enough",
    "air-chiller": "air handlers, air-cooled chillers",
    "dx": "computer-room units with direct expansion",
    "air-economizer": "outdoor air with an adiabatic stage; water-cooled chillers when that will not do",
    "air-economizer-dry": "the same with air-cooled chillers",
    "liquid-dry": "liquid to the racks, dry coolers; air-cooled chillers for the rest",
    "liquid-tower": "liquid to the racks, towers; a water-economizer for the rest",
}
#: Words for parts of the power and kinds of water.
PART_WORDS = {
    "it": "IT", "pdu": "distribution", "ups": "UPS", "transformer": "transformer", "fans": "air handlers",
    "chiller": "chillers", "pumps": "pumps", "tower": "tower fans", "humidifier": "humidifiers",
    "cdu": "CDU pumps", "dry_cooler": "dry coolers", "lighting": "lighting",
}  # fmt: skip
WATER_WORDS = {"evaporation": "evaporation, drift", "humidification": "into the air", "blowdown": "blowdown"}


def year_table(summary: Summary) -> RenderableType:
    """A year of a site, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    site, weather = summary["site"], summary["weather"]
    title = f"{site['plant']}, {site['preset']}"
    blocks: list[RenderableType] = [Text.assemble((title, "bold"), f"  {weather['place']}"), Text()]
    blocks += [grids.grid(_lines(summary)), Text(), _split(summary), Text()]
    blocks += [Text(f"warning: {warning}", style="bold red") for warning in summary["warnings"]]
    blocks += [Text(f"note: {note}", style="yellow") for note in summary["notes"]]
    blocks.append(Text(grids.numbers(summary), style="dim"))
    return Group(*blocks)


def _lines(summary: Summary) -> Iterator[Line]:
    site, power, water = summary["site"], summary["power_w"], summary["wue_l_per_kwh"]
    built = f"of {in_words(site['design_it_w'], 'W')}, {percent(site['load'])} of the design, all year"
    replaced = "".join(f"; {key} {_set(value)}" for key, value in site["settings"].items())
    yield "IT power", in_words(site["it_w"], "W"), built + replaced
    yield "outdoors", *_outdoors(summary["weather"])
    parts = f"ELC {ratio(summary['elc'])}, MLC {ratio(summary['mlc'])}"
    yield "PUE", ratio(summary["pue"]), f"{parts}; one more watt of IT takes {ratio(summary['marginal'])} W"
    yield "WUE", f"{three(water['withdrawn'])} L/kWh", f"withdrawn; {_band(water, 'withdrawn')}"
    yield "WUE, consumed", f"{three(water['consumed'])} L/kWh", f"not returned; {_band(water, 'consumed')}"
    yield "at the meter", in_words(power["mean"], "W"), f"mean; {in_words(power['peak'], 'W')} in the highest hour"
    if "economizer_h" in summary:
        full, partial = summary["economizer_h"]["full"], summary["economizer_h"]["partial"]
        share = f"{percent(full / summary['weather']['hours'])} of the year without compressors for the air"
        yield "economizer", f"{full:,.0f} h", f"{share}; {partial:,.0f} h partly"
    yield "set points missed", f"{summary['missed']['hours']:,.0f} h", _missed(summary["missed"])


def _set(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _outdoors(weather: Summary) -> tuple[str, str]:
    dry, wet = weather["dry_bulb_c"], weather["wet_bulb_c"]
    more = (
        f"mean; {dry['low']:.1f} to {dry['high']:.1f} °C, wet bulb up to {wet['high']:.1f} °C; {weather['hours']:,} h"
    )
    return f"{dry['mean']:.1f} °C", more


def _band(water: Summary, what: str) -> str:
    low, high = water[f"{what}_low"], water[f"{what}_high"]
    return f"{three(low)} to {three(high)} by the method for towers" if high - low > 5e-4 * high else "no tower at work"


def _missed(missed: Summary) -> str:
    found = [
        f"{what} by up to {significant(missed[f'{key}_most_k'])} K in {missed[f'{key}_h']:,.0f} h"
        for what, key in (("air", "air"), ("liquid", "liquid"))
        if missed[f"{key}_h"]
    ]
    if missed["unmet_h"]:
        found.append(f"up to {in_words(missed['unmet_most_w'], 'W')} of heat left in {missed['unmet_h']:,.0f} h")
    return "; ".join(found) or "none"


def _split(summary: Summary) -> RichTable:
    """Energy by part beside water by kind."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    headers = ("energy of the year", "", "over IT", "water of the year", "", "share")
    for number, header in enumerate(headers):
        grid.add_column(Text(header), justify="left" if number in (0, 3) else "right", no_wrap=True)
    energy, water = summary["energy_kwh"], summary["water_l"]
    left = [
        (PART_WORDS.get(name, name), kilowatt_hours(kwh), percent(kwh / energy["by_part"]["it"]))
        for name, kwh in energy["by_part"].items()
    ]
    left.append(("facility", kilowatt_hours(energy["facility"]), f"{summary['pue'] * 100:.1f} %"))
    taken = water["withdrawn"]
    right = [
        (WATER_WORDS[name], litres(volume), percent(volume / taken))
        for name, volume in water["by_kind"].items()
        if volume
    ]
    right.append(("withdrawn", litres(taken), ""))
    for row in range(max(len(left), len(right))):
        cells = [side[row] if row < len(side) else ("", "", "") for side in (left, right)]
        grid.add_row(*(Text(cell) for three_cells in cells for cell in three_cells))
    return grid


def choices(plants: Mapping[str, str], presets: Mapping[str, str], climates: Mapping[str, str]) -> RenderableType:
    """Names that `dcsim facility` takes, with what they stand for."""
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = []
    groups: Sequence[tuple[str, Mapping[str, str]]] = (
        ("--plant", plants),
        ("--preset", presets),
        ("--weather", {**climates, "FILE": "an EPW file, or hours in CSV; plain or .gz"}),
    )
    for option, names in groups:
        blocks += [Text(option, style="bold"), grids.grid((f"  {name}", "", text) for name, text in names.items())]
    return Group(*blocks)
