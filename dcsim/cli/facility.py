"""`dcsim facility`: a cooling plant and a power chain in a year of weather."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dcsim import units
from dcsim.cli import figure as figures
from dcsim.cli import output
from dcsim.errors import DcsimError, nearest

if TYPE_CHECKING:
    from dcsim.catalog import Catalog
    from dcsim.facility.site_year import SiteYear
    from dcsim.facility.weather import WeatherYear

#: IT power that a site is built for unless told otherwise: the annual ratios hardly depend on it [W].
_DESIGN_IT_W = 1e6
_LEAST_W, _MOST_W = 1.0, 1e12
#: Climates of the catalog may be named without it.
_PREFIX = "climate-"
_SEED = 1
#: Settings that are names.
_METHODS = ("evaporation", "tower_balance")


def command(
    plant: Annotated[
        str | None, typer.Option(metavar="KIND", help="Cooling plant; --list has the kinds.", show_default="required")
    ] = None,
    weather: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="EPW or CSV file, or a built-in climate.", show_default="required"),
    ] = None,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Class of site: hyperscale, colo or small.")
    ] = "hyperscale",
    load: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE", help="IT power over what the site is built for, such as 0.6.", show_default="the preset's"
        ),
    ] = None,
    it_power: Annotated[
        str | None,
        typer.Option(metavar="POWER", help='IT power all year, such as "1 MW".', show_default="load x design power"),
    ] = None,
    design_power: Annotated[
        str | None,
        typer.Option(
            metavar="POWER", help="IT power that the site is built for.", show_default="IT power / load, or 1 MW"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting of the preset.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Time zone of a CSV file that does not say its own.")
    ] = None,
    altitude: Annotated[
        float | None, typer.Option(metavar="METRES", help="Height of the place of a CSV file without pressures.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of a built-in climate's year.", show_default=str(_SEED))
    ] = None,
    catalog_files: Annotated[
        list[Path] | None, typer.Option("--catalog", metavar="FILE", help="Further catalog file.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures, .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the year, or the --list, as JSON.")] = False,
    as_list: Annotated[bool, typer.Option("--list", help="Print plants, presets and climates, and stop.")] = False,
) -> None:
    """PUE, WUE, energy by part and water by kind of a site in a year of weather at constant load."""
    from dcsim import catalog

    if as_list:
        _list(catalog.load(catalog_files or []), as_json=as_json)
        return
    figures.check(figure)
    asked = _Powers(_power("--it-power", it_power), _power("--design-power", design_power), _load(load))
    _check_plant(plant)
    assert plant is not None
    changes = _settings(settings or [])
    known = catalog.load(catalog_files or [])
    from dcsim.facility import presets, site_year
    from dcsim.report.facility_summary import summary

    site = presets.load(preset, known, **changes)
    it_w, design_w = asked.solved(site.it_load_share)
    outdoors = _weather(weather, known, zone, altitude, seed)
    year = site_year.run(plant, site, outdoors, design_it_w=design_w, it_w=it_w, known=known)
    found = summary(year, known.grades_used(), changes)
    found["notes"] += [f"--set {key} changes nothing in this year" for key in _idle(year, changes, known)]
    if as_json:
        output.document(found)
    else:
        from dcsim.report.facility_table import year_table

        output.table(year_table(found))
    if figure is not None:
        from dcsim.report.facility import page

        figures.write(page(year), figure)
        if not as_json:
            print(f"wrote {figure}")


def _list(known: Catalog, *, as_json: bool) -> None:
    from dcsim.facility import climates, presets
    from dcsim.report.facility_table import PLANT_WORDS, choices

    def titles(names: Sequence[str]) -> dict[str, str]:
        return {name.removeprefix(_PREFIX): known.get(name).title for name in names}

    sites, places = titles(presets.names(known)), titles(climates.names(known))
    if as_json:
        output.document({"plants": PLANT_WORDS, "presets": sites, "climates": places})
    else:
        output.table(choices(PLANT_WORDS, sites, places))


# ---------------------------------------------------------------- what is asked for


class _Powers(NamedTuple):
    """Two of them say the third; None where not given."""

    it_w: float | None
    design_w: float | None
    load: float | None

    def solved(self, usual_load: float) -> tuple[float, float]:
        """(IT power, design power) in W."""
        if self.it_w is not None and self.design_w is not None:
            if self.load is not None:
                raise DcsimError("found --it-power, --design-power and --load, want at most two of them")
            if self.it_w > self.design_w:
                raise DcsimError(
                    f"--it-power: found {units.write(self.it_w, 'power')}, more than the "
                    f"{units.write(self.design_w, 'power')} of --design-power"
                )
            return self.it_w, self.design_w
        load = usual_load if self.load is None else self.load
        if self.it_w is not None:
            return self.it_w, self.it_w / load
        design_w = _DESIGN_IT_W if self.design_w is None else self.design_w
        return load * design_w, design_w


def _power(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = units.parse(text, "power")
    except units.UnitError as error:
        raise DcsimError(f"{option}: {error}") from None
    if not _LEAST_W <= value <= _MOST_W:
        raise DcsimError(f"{option}: found '{text[:40]}', want 1 W to 1 TW")
    return value


def _load(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = units.parse(text, "ratio")
    except units.UnitError as error:
        raise DcsimError(f"--load: {error}") from None
    if not 0.0 < value <= 1.0:
        hint = f"; is it in per cent? {text[:20].strip()}% is a share" if 2.0 <= value <= 100.0 else ""
        raise DcsimError(f"--load: found '{text[:40]}', want a share of the design, above 0 and at most 1{hint}")
    return value


def _check_plant(plant: str | None) -> None:
    from dcsim.facility.plants import KINDS

    if plant is None:
        raise DcsimError(f"found no --plant, want one of {', '.join(KINDS)}")
    if plant not in KINDS:
        raise DcsimError(f"--plant: found '{plant[:40]}'{nearest(plant[:40], KINDS)}")


def _settings(pairs: Sequence[str]) -> dict[str, float | str]:
    """Settings of the plant by name; their bounds are checked where they are used."""
    from dcsim.facility.settings import NUMBERS

    found: dict[str, float | str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise DcsimError(f"--set: found '{pair[:60]}', want KEY=VALUE, such as supply_air_c=25")
        if key not in (*NUMBERS, *_METHODS):
            raise DcsimError(f"--set: plant has no setting '{key[:40]}'{nearest(key[:40], (*NUMBERS, *_METHODS))}")
        if key in found:
            raise DcsimError(f"--set: found {key} twice, want it once")
        found[key] = value if key in _METHODS else _number(key, value)
    return found


def _number(key: str, text: str) -> float:
    try:
        value = units.parse(text, "ratio")  # a plain number, or per cent
    except units.UnitError:
        value = math.nan
    if math.isnan(value) or (key == "machines" and not value.is_integer()):
        kind = "a whole number" if key == "machines" else "a number without a unit, or per cent"
        raise DcsimError(f"--set {key}: found '{text[:40]}', want {kind}")
    return int(value) if key == "machines" else value


def _idle(year: SiteYear, changes: Mapping[str, float | str], known: Catalog) -> list[str]:
    """Replaced settings without which the year is the same: as the preset has them, or of other equipment."""
    from dcsim.facility import presets, site_year

    def same(key: str) -> bool:
        others = {name: value for name, value in changes.items() if name != key}
        site = presets.load(year.preset.name, known, **others)
        without = site_year.run(
            year.kind, site, year.weather, design_it_w=year.design_it_w, it_w=year.it_w, known=known
        )
        return all(
            (getattr(year.series, name) == getattr(without.series, name)).all()
            for name in ("facility_w", "withdrawn_l", "consumed_l", "unmet_w", "missed")
        )

    return [key for key in changes if same(key)]


# ---------------------------------------------------------------- weather


def _weather(
    text: str | None, known: Catalog, zone: str | None, altitude_m: float | None, seed: int | None
) -> WeatherYear:
    """A year from a file, by the end of its name, or drawn from a built-in climate."""
    from dcsim import seeds
    from dcsim.facility import climates

    places = [name.removeprefix(_PREFIX) for name in climates.names(known)]
    if text is None:
        raise DcsimError(f"found no --weather, want an EPW or CSV file, or a climate: {', '.join(places)}")
    place = text.lower().removeprefix(_PREFIX)
    kind = _kind(Path(text))
    given = {"--zone": zone is not None, "--altitude": altitude_m is not None}
    if kind != "csv" and (option := next((name for name, there in given.items() if there), None)):
        raise DcsimError(f"{option}: is for CSV files; --weather {text[:60]} says its own")
    if place in places:
        name = next(name for name in climates.names(known) if name.removeprefix(_PREFIX) == place)
        generator = seeds.generator(_SEED if seed is None else seed, 0, "weather")
        return climates.typical_year(climates.load(name, known), generator)
    if seed is not None:
        raise DcsimError(f"--seed: is for built-in climates; in --weather {text[:60]} nothing is drawn")
    if kind == "csv":
        return _from_csv(text, zone, altitude_m)
    if kind == "epw":
        from dcsim.facility.weather import read_epw

        return read_epw(text)
    if Path(text).exists():
        raise DcsimError(f"--weather {text[:200]}: want a file that ends in .epw or .csv, either may be packed as .gz")
    raise DcsimError(
        f"--weather: found '{text[:60]}', neither an EPW or CSV file nor a climate{nearest(place, places)}"
    )


def _kind(path: Path) -> str:
    """`epw`, `csv` or whatever a file's name ends in."""
    name = path.name.lower().removesuffix(".gz")
    return name.rpartition(".")[2] if "." in name else ""


def _from_csv(text: str, zone: str | None, altitude_m: float | None) -> WeatherYear:
    from dcsim.facility.weather_csv import read_csv

    return read_csv(text, zone=zone, altitude_m=altitude_m)
