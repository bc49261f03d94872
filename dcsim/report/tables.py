"""A summary as rows of text, for the terminal and for the page. What the summary lacks is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from dcsim.report import words
from dcsim.report.series import BOUNDARIES
from dcsim.report.words import Cell, Formatter, cell, find, number

Path = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One figure of every row: where it stands in the summary and how it is written."""

    title: str
    path: Path
    words: Formatter
    group: str = ""
    """heading over this and its neighbours of the same group"""


class Span(NamedTuple):
    """A heading over neighbouring columns."""

    title: str
    columns: int


@dataclass(frozen=True)
class Table:
    """Rows of cells; a cell is None where its row has no such figure, and no column or row is empty."""

    first: str
    """heading of the names"""
    columns: list[Column]
    rows: list[tuple[str, list[Cell | None]]]

    def starts_group(self, index: int) -> bool:
        """True where the column's group differs from that of the column before."""
        return index > 0 and self.columns[index].group != self.columns[index - 1].group

    def spans(self) -> list[Span]:
        """Group headings from left to right."""
        return [Span(title, len(list(columns))) for title, columns in groupby(self.columns, key=lambda one: one.group)]


@dataclass(frozen=True)
class Card:
    """One key figure: what it is, the figure, and lines that explain it."""

    label: str
    value: Cell
    details: list[str] = field(default_factory=list)


def table(first: str, columns: Sequence[Column], items: object) -> Table:
    """Table of a mapping name -> figures, without the columns and rows that have no figure."""
    named = items if isinstance(items, Mapping) else {}
    rows = [
        (str(name), [cell(find(item, *column.path), column.words) for column in columns])
        for name, item in named.items()
    ]
    rows = [(name, cells) for name, cells in rows if any(cells)]
    kept = [index for index in range(len(columns)) if any(cells[index] for _, cells in rows)]
    return Table(first, [columns[index] for index in kept], [(name, [cells[i] for i in kept]) for name, cells in rows])


def _times(key: str, group: str, names: Sequence[str] = ("p50", "p95", "p99")) -> list[Column]:
    return [Column(name, (key, name), words.seconds, group) for name in names]


STREAM_COLUMNS = [
    Column("submitted", ("submitted",), words.count, "jobs"),
    Column("completed", ("completed",), words.count, "jobs"),
    Column("SLO met", ("slo_attainment",), words.percent),
    *_times("latency_s", "latency"),
    *_times("wait_s", "wait", ("mean", "p95", "p99")),
    Column("done", ("throughput_per_s",), words.per_second, "rate"),
    Column("within SLO", ("goodput_per_s",), words.per_second, "rate"),
]
TOKEN_COLUMNS = [
    *_times("ttft_s", "time to first token"),
    *_times("tpot_s", "time per output token"),
    *_times("itl_s", "inter-token latency"),
]
POOL_COLUMNS = [
    Column("devices", ("devices",), words.count),
    Column("utilisation", ("utilisation",), words.percent),
    Column("energy", ("energy_kwh",), words.kilowatt_hours),
    Column("idle energy", ("idle_energy_kwh",), words.kilowatt_hours),
    Column("idle share", ("idle_share",), words.percent),
    Column("availability", ("availability",), words.percent),
]
SITE_COLUMNS = [
    Column("compute", ("energy", "compute_kwh"), words.kilowatt_hours, "energy"),
    Column("IT", ("energy", "it_kwh"), words.kilowatt_hours, "energy"),
    Column("facility", ("energy", "facility_kwh"), words.kilowatt_hours, "energy"),
    Column("IT, mean", ("power", "it_mean_kw"), words.kilowatts, "power"),
    Column("IT, peak", ("power", "it_peak_kw"), words.kilowatts, "power"),
    Column("facility, peak", ("power", "facility_peak_kw"), words.kilowatts, "power"),
    Column("PUE", ("efficiency", "pue"), words.ratio, "efficiency"),
    Column("ITUE", ("efficiency", "itue"), words.ratio, "efficiency"),
    Column("TUE", ("efficiency", "tue"), words.ratio, "efficiency"),
    Column("ERF", ("efficiency", "erf"), words.ratio, "efficiency"),
    Column("MLC", ("efficiency", "mlc"), words.ratio, "efficiency"),
    Column("ELC", ("efficiency", "elc"), words.ratio, "efficiency"),
    Column("withdrawn", ("water", "withdrawn_l"), words.litres, "water"),
    Column("consumed", ("water", "consumed_l"), words.litres, "water"),
    Column("consumed, low", ("water", "consumed_low_l"), words.litres, "water"),
    Column("consumed, high", ("water", "consumed_high_l"), words.litres, "water"),
    Column("at the power plants", ("water", "source_l"), words.litres, "water"),
    Column("WUE", ("water", "wue_l_per_kwh"), words.litres_per_kwh, "water"),
    Column("WUE with source", ("water", "wue_source_l_per_kwh"), words.litres_per_kwh, "water"),
    Column("operational", ("carbon", "operational_kg"), words.kilograms, "carbon, CO₂e"),
    Column("embodied", ("carbon", "embodied_kg"), words.kilograms, "carbon, CO₂e"),
    Column("embodied, low", ("carbon", "embodied_low_kg"), words.kilograms, "carbon, CO₂e"),
    Column("embodied, high", ("carbon", "embodied_high_kg"), words.kilograms, "carbon, CO₂e"),
    Column("total", ("carbon", "total_kg"), words.kilograms, "carbon, CO₂e"),
    Column("CUE", ("carbon", "cue_kg_per_kwh"), words.kilograms_per_kwh, "carbon, CO₂e"),
    Column("hardware, amortised", ("cost", "capex_amortised_usd"), words.dollars, "cost"),
    Column("energy", ("cost", "energy_usd"), words.dollars, "cost"),
    Column("demand charge", ("cost", "demand_usd"), words.dollars, "cost"),
    Column("water", ("cost", "water_usd"), words.dollars, "cost"),
    Column("maintenance", ("cost", "maintenance_usd"), words.dollars, "cost"),
    Column("total", ("cost", "total_usd"), words.dollars, "cost"),
    Column("per 1,000 jobs", ("cost", "usd_per_1000_jobs"), words.dollars, "cost"),
    Column("per million tokens", ("cost", "usd_per_million_tokens"), words.dollars, "cost"),
]
_PER_JOB_COLUMNS = [
    Column("carbon", ("carbon_g_per_job",), words.grams),
    Column("water", ("water_ml_per_job",), words.millilitres),
    Column("cost", ("cost_usd_per_job",), words.dollars),
]


def streams(summary: Mapping[str, Any]) -> Table:
    """Jobs, objectives and times of every stream."""
    return table("stream", STREAM_COLUMNS, find(summary, "streams"))


def tokens(summary: Mapping[str, Any]) -> Table:
    """Times by the token of the language-model streams."""
    return table("stream", TOKEN_COLUMNS, find(summary, "streams"))


def energy(summary: Mapping[str, Any]) -> Table:
    """Energy per job of every stream at five boundaries, marginal and loaded."""
    columns = [
        Column(name, ("energy_j_per_job", name, kind), words.joules, f"energy per job, {kind}")
        for kind in ("marginal", "loaded")
        for name in BOUNDARIES
    ]
    return table("stream", columns, find(summary, "streams"))


def footprint(summary: Mapping[str, Any]) -> Table:
    """Carbon, water and cost per job of every stream."""
    return table("stream", _PER_JOB_COLUMNS, find(summary, "streams"))


def pools(summary: Mapping[str, Any], columns: Sequence[Column] = POOL_COLUMNS) -> Table:
    """Devices, use and energy of every pool."""
    named = find(summary, "pools")
    items = {name: _with_idle_share(pool) for name, pool in named.items()} if isinstance(named, Mapping) else {}
    return table("pool", columns, items)


def _with_idle_share(pool: Any) -> dict[str, Any]:
    total, idle = number(find(pool, "energy_kwh")), number(find(pool, "idle_energy_kwh"))
    known = dict(pool) if isinstance(pool, Mapping) else {}
    return known | ({"idle_share": idle / total} if total and idle is not None else {})


def sites(summary: Mapping[str, Any]) -> list[tuple[str, Table]]:
    """(title, table) of energy, power, efficiency, water, carbon, cost: a row per site, then all of them."""
    named = find(summary, "sites")
    items = dict(named) if isinstance(named, Mapping) else {}
    if len(items) != 1:
        items["all sites"] = summary
    blocks = [
        (title, table("", list(columns), items)) for title, columns in groupby(SITE_COLUMNS, key=lambda one: one.group)
    ]
    return [(title, block) for title, block in blocks if block.rows]


def cards(summary: Mapping[str, Any]) -> list[Card]:
    """The answer first: jobs, objectives, energy, PUE, carbon, water, cost; those that the run has."""
    made = [
        _jobs(summary),
        _slo(summary),
        _energy(summary),
        _pue(summary),
        _carbon(summary),
        _water(summary),
        _cost(summary),
    ]
    return [card for card in made if card is not None]


def _card(label: str, value: Cell | None, *details: str | None) -> Card | None:
    if value is None:
        return None
    return Card(label, value, [line for line in details if line])


def _listed(block: object, *items: tuple[str, str, Formatter]) -> str | None:
    """`IT 1.2 MWh, peak 54 kW` of the items (word, key, formatter) that the block has."""
    found = [(word, cell(find(block, key), formatter)) for word, key, formatter in items]
    return ", ".join(f"{word} {one.text}".strip() for word, one in found if one) or None


def _jobs(summary: Mapping[str, Any]) -> Card | None:
    jobs = find(summary, "jobs")
    parts = [
        f"{one.text} {key}"
        for key in ("rejected", "failed", "queued", "running")
        if number(find(jobs, key)) and (one := cell(find(jobs, key), words.count))
    ]
    submitted = cell(find(jobs, "submitted"), words.count)
    return _card(
        "jobs done",
        cell(find(jobs, "completed"), words.count),
        submitted and f"of {submitted.text} submitted",
        ", ".join(parts),
    )


def _slo(summary: Mapping[str, Any]) -> Card | None:
    named = find(summary, "streams")
    known = [
        (value, name)
        for name, stream in (named or {}).items()
        if (value := number(find(stream, "slo_attainment"))) is not None
    ]
    lowest = f"lowest: {min(known)[1]}, {words.percent(min(known)[0])}" if len(known) > 1 else None
    return _card("SLO attainment", cell(find(summary, "jobs", "slo_attainment"), words.percent), lowest)


def _energy(summary: Mapping[str, Any]) -> Card | None:
    block = find(summary, "energy")
    total = cell(find(block, "facility_kwh"), words.kilowatt_hours)
    it = _listed(block, ("IT", "it_kwh", words.kilowatt_hours))
    if total is None:
        return _card("IT energy", cell(find(block, "it_kwh"), words.kilowatt_hours))
    return _card(
        "facility energy",
        total,
        it,
        _listed(find(summary, "power"), ("peak", "facility_peak_kw", words.kilowatts)),
    )


def _pue(summary: Mapping[str, Any]) -> Card | None:
    block = find(summary, "efficiency")
    return _card(
        "PUE",
        cell(find(block, "pue"), words.ratio),
        _listed(block, ("TUE", "tue", words.ratio), ("ITUE", "itue", words.ratio)),
    )


def _carbon(summary: Mapping[str, Any]) -> Card | None:
    block = find(summary, "carbon")
    parts = _listed(
        block,
        ("operational", "operational_kg", words.kilograms),
        ("embodied", "embodied_kg", words.kilograms),
    )
    total, middle, low, high = (
        number(find(block, key)) for key in ("total_kg", "embodied_kg", "embodied_low_kg", "embodied_high_kg")
    )
    band = None
    if total is not None and middle is not None and low is not None and high is not None:
        band = f"{words.kilograms(total - middle + low)} to {words.kilograms(total - middle + high)}"
    if total is None:
        return _card("operational carbon, CO₂e", cell(find(block, "operational_kg"), words.kilograms))
    return _card("carbon, CO₂e", cell(find(block, "total_kg"), words.kilograms), band, parts)


def _water(summary: Mapping[str, Any]) -> Card | None:
    block = find(summary, "water")
    band = None
    low, high = number(find(block, "consumed_low_l")), number(find(block, "consumed_high_l"))
    if low is not None and high is not None:
        band = f"{words.litres(low)} to {words.litres(high)}"
    rest = _listed(block, ("withdrawn", "withdrawn_l", words.litres), ("at power plants", "source_l", words.litres))
    consumed = cell(find(block, "consumed_l"), words.litres)
    if consumed is None:
        return _card("water withdrawn", cell(find(block, "withdrawn_l"), words.litres))
    return _card("water consumed", consumed, band, rest)


def _cost(summary: Mapping[str, Any]) -> Card | None:
    block = find(summary, "cost")
    total = cell(find(block, "total_usd"), words.dollars)
    if total is None:
        return _card("energy cost", cell(find(block, "energy_usd"), words.dollars))
    parts = _listed(block, ("energy", "energy_usd", words.dollars), ("hardware", "capex_amortised_usd", words.dollars))
    each = cell(find(block, "usd_per_1000_jobs"), words.dollars)
    return _card("cost", total, parts, each and f"{each.text} per 1,000 jobs")


def trust(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What to know before believing the run: (what, figure), without the warnings."""
    block = find(summary, "trust")
    rows: list[tuple[str, str, Formatter]] = [
        ("jobs not finished when the run ended", "unfinished", words.count),
        ("jobs that could never start", "never_startable", words.count),
        ("offered load", "offered_load", words.percent),
        ("catalog numbers used that are estimates", "estimate_share", words.percent),
        ("catalog numbers used that are recalled, not yet verified", "recalled_share", words.percent),
        ("energy ledger against power integral, relative", "energy_ledger_error", words.small),
    ]
    return [(label, one.text) for label, key, formatter in rows if (one := cell(find(block, key), formatter))]


def warnings(summary: Mapping[str, Any]) -> list[str]:
    """Warnings of the run, one line each."""
    found = find(summary, "trust", "warnings")
    return [str(line) for line in found] if isinstance(found, (list, tuple)) else []
