"""What changes over time at a site, ready for its run: moments from the start of the run, units inside dcsim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from dcsim.catalog import Catalog, Entry
from dcsim.errors import CatalogError, ScenarioError
from dcsim.facility import fuel, grid, pv, series_file
from dcsim.facility.series import Steps, utc
from dcsim.facility.series_file import Layout, Meaning
from dcsim.scenario import files
from dcsim.scenario.models import Scenario
from dcsim.scenario.onsite import ClearSky, Irradiance
from dcsim.scenario.signals import FuelMix, Profile, SeriesFile, Varying
from dcsim.service import FloatArray

#: How much longer than its duration a profile reaches when the run may be prolonged.
_DRAIN_S = 366 * 86400.0

#: Key of a site -> what its values are.
_MEANING: Mapping[str, Meaning] = {
    "carbon_intensity": series_file.CARBON,
    "energy_price": series_file.PRICE,
    "water_intensity": series_file.WATER,
}


@dataclass(frozen=True)
class Reader:
    """Reads the signals of one site."""

    scenario: Scenario
    catalog: Catalog
    name: str
    """name of the site"""
    folder: Path | None
    """where relative paths of a scenario that was not loaded from a file are looked up"""

    def grid(self) -> dict[str, Steps]:
        """Key of the site -> signal, for those that change over time."""
        return {key: self._signal(key, value) for key, value in self.scenario.sites[self.name].varying()}

    def solar_w(self) -> Steps | None:
        """Power that the site's photovoltaics can give over the run [W]; None without any."""
        solar = self.scenario.sites[self.name].solar
        if solar is None:
            return None
        most_w = solar.peak if solar.inverter is None else solar.inverter
        where = f"sites.{self.name}.solar.sun"
        if isinstance(solar.sun, ClearSky):
            sun = self._clear_sky(solar.sun, where)
        else:
            meaning = series_file.IRRADIANCE if isinstance(solar.sun, Irradiance) else series_file.SHARE
            sun = self._file(where, solar.sun, partial(_values, file=solar.sun, meaning=meaning))
        if not isinstance(solar.sun, ClearSky | Irradiance):
            return Steps(sun.start_s, np.minimum(solar.peak * sun.levels, most_w), sun.end_s)
        watts = pv.output_w(sun.levels, solar.peak, solar.performance_ratio, most_w)
        return Steps(sun.start_s, watts, sun.end_s)

    def _signal(self, key: str, signal: Varying) -> Steps:
        where = f"sites.{self.name}.{key}"
        if isinstance(signal, Profile):
            return self._profile(where, key, signal)
        if isinstance(signal, FuelMix):
            return self._file(where, signal, partial(_mix, catalog=self.catalog, mix=signal, key=_factors(key, signal)))
        return self._file(where, signal, partial(_values, file=signal, meaning=_MEANING[key]))

    def _profile(self, where: str, key: str, profile: Profile) -> Steps:
        entry = self.catalog.get(profile.profile, "grid")
        return grid.over_time(_table(where, entry, _factors(key, profile)), self._start(where), self._reach_s())

    def _clear_sky(self, sun: ClearSky, where: str) -> Steps:
        place = self.scenario.sites[self.name].place
        if place is None:
            raise ScenarioError(f"{where}: a clear sky needs the latitude of a `place`")
        entry = self.catalog.get(place, "place")
        offset_h = entry["utc_offset_h"]
        start_s = self._start(where).timestamp()
        return pv.clear_sky(start_s, self._reach_s(), entry["latitude_deg"], offset_h, sun.clearness)

    def _start(self, where: str) -> datetime:
        if self.scenario.start is None:
            raise ScenarioError(f"{where}: a signal over time needs the key 'start' of the scenario")
        return self.scenario.start

    def _reach_s(self) -> float:
        return self.scenario.duration + (_DRAIN_S if self.scenario.drain else 0.0)

    def _file(self, where: str, file: SeriesFile | FuelMix, read: Callable[[Path, Layout], Steps]) -> Steps:
        """A signal from a file, from the start of the run. ScenarioError where it does not cover the run."""
        first_s = self._start(where).timestamp()
        path = Path(file.path)
        try:
            if not path.is_absolute():  # a loaded scenario has no others
                path = files.resolve(file.path, self.folder or Path.cwd(), own=self.folder is None)
        except files.FileProblem as error:
            raise ScenarioError(f"{where}.path: {error}") from None
        try:
            steps = read(path, Layout(file.time, file.clock, file.gaps))
        except ScenarioError as error:
            raise ScenarioError(f"{where}: {error}") from None
        last_s = first_s + self.scenario.duration
        if not steps.covers(first_s, last_s):
            raise ScenarioError(
                f"{where}: {path} reaches {series_file.coverage(steps)}, "
                f"but the run lasts from {utc(first_s)} to {utc(last_s)}"
            )
        return steps.since(first_s)


def _factors(key: str, signal: FuelMix | Profile) -> str:
    return fuel.FACTORS["water" if key == "water_intensity" else signal.factors]


def _table(where: str, entry: Entry, key: str) -> FloatArray:
    table = entry.array(key)
    if table.shape != (grid.MONTHS, grid.HOURS):
        raise CatalogError(f"{where}: grid '{entry.name}': {key} has shape {table.shape}, want 12 months x 24 hours")
    return table


def _values(path: Path, layout: Layout, file: SeriesFile, meaning: Meaning) -> Steps:
    return series_file.read(path, layout, column=file.column, unit=file.unit, factor=file.factor, meaning=meaning)


def _mix(path: Path, layout: Layout, catalog: Catalog, mix: FuelMix, key: str) -> Steps:
    def choose(names: list[str]) -> Mapping[str, str]:
        return fuel.columns(catalog, names) if mix.fuels == "all" else mix.fuels

    return series_file.read_rows(path, layout, choose, partial(fuel.mix_values, catalog, key))
