"""Classes of sites (`hyperscale`, `colo`, `small`): a plant's constants and a power chain from the catalog.

A preset is an entry of kind `plant` with the fact `class`. It holds what differs from the entry `plant-default`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.errors import CatalogError, ScenarioError, nearest
from dcsim.facility import chiller
from dcsim.facility.chain import Site
from dcsim.facility.plants import CoolingPlant
from dcsim.facility.power import Bank, from_entry, redundant
from dcsim.facility.settings import NUMBERS, Settings

BASE = "plant-default"
_MACHINES = ("water_chiller", "air_chiller", "dx")
_METHODS = ("evaporation", "tower_balance")


@dataclass(frozen=True)
class Preset:
    """One class of site."""

    name: str
    settings: Settings
    it_load_share: float
    """IT power over what such a site is built for [1]"""
    ups_modules: int
    """modules that carry the load, without those of the redundancy"""
    facts: dict[str, str]
    """loss curves (pdu, ups, transformer) and redundancy by name"""

    def bank(self, stage: str, load_w: float, known: Catalog) -> Bank | None:
        """Stage `pdu`, `ups` or `transformer` for this load; None where the preset says `none`."""
        name = self.facts.get(stage, "none")
        if name == "none":
            return None
        redundancy = self.facts.get("redundancy", "N")
        modules = self.ups_modules if stage == "ups" else 1
        if stage != "ups":  # of the stages beside the UPS only two feeds change the number
            redundancy = "2N" if redundancy == "2N" else "N"
        return redundant(from_entry(known.get(name, "curve")), load_w, redundancy, modules)


def names(known: Catalog | None = None) -> list[str]:
    """Names of all presets."""
    entries = known or catalog.load()
    return [name for name in entries.names("plant") if "class" in entries.get(name).facts]


def load(name: str, known: Catalog | None = None, **changes: Any) -> Preset:
    """The preset of this name; `changes` replace settings by name, such as supply_air_c=25.0.

    Raises CatalogError for an unknown preset or a constant that neither it nor the base has, ScenarioError for an
    unknown setting or one out of its bounds.
    """
    entries = known or catalog.load()
    if name not in names(entries):
        raise CatalogError(f"no preset {name[:40]!r}{nearest(name[:40], names(entries))}")
    entry, base = entries.get(name), entries.get(BASE)
    numbers: dict[str, Any] = {key: _number(entry, base, key) for key in NUMBERS}
    numbers["machines"] = round(numbers["machines"])
    for key in _MACHINES:
        numbers[key] = chiller.from_entry(entries.get(str(entry.facts.get(key, "")), "cooling"))
    for key in _METHODS:
        if key in entry.facts:
            numbers[key] = str(entry.facts[key])
    for key in changes:
        if key not in numbers and key not in _METHODS:
            raise ScenarioError(f"plant has no setting {key[:40]!r}{nearest(key[:40], [*numbers, *_METHODS])}")
    facts = {key: str(value) for key, value in entry.facts.items()}
    return Preset(
        name,
        Settings(**{**numbers, **changes}),
        _number(entry, base, "it_load_share"),
        round(_number(entry, base, "ups_modules")),
        facts,
    )


def _number(entry: Entry, base: Entry, key: str) -> float:
    return entry[key] if key in entry else base[key]


def site(kind: str, preset: Preset, design_it_w: float, known: Catalog | None = None) -> Site:
    """Power chain and plant of a site of this class, built for design_it_w; the grid's figures are 0.

    Parameters:
        kind: kind of plant, one of `plants.KINDS`
        preset: class of site
        design_it_w: IT power that it is built for [W]
        known: catalog with the loss curves; the shipped one by default

    Raises ScenarioError for an unknown kind or a design power that is not positive.
    """
    entries = known or catalog.load()
    if not design_it_w > 0.0:
        raise ScenarioError(f"design IT power is {design_it_w:g} W; allowed above 0 W")
    banks: dict[str, Bank | None] = {}
    feed_w = design_it_w
    for stage in ("pdu", "ups", "transformer"):
        bank = preset.bank(stage, feed_w, entries)
        banks[stage] = bank
        feed_w += float(bank.loss_w(feed_w)) if bank is not None else 0.0
    plant = CoolingPlant(kind, preset.settings, design_it_w, feed_w - design_it_w)
    return Site(plant=plant, pdu=banks["pdu"], ups=banks["ups"], transformer=banks["transformer"])
