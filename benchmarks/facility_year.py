"""Times a year at 5 minutes of many racks through the whole facility chain, and the memory that it takes.

    python benchmarks/facility_year.py [--racks 100 1000] [--plant water-economizer] [--repeat 3]

The load of the racks is synthetic (float32, steps x racks); making it is not timed. Timed are voltage regulators,
node fans, supplies, PDU, UPS, transformer, plant, water by three methods, carbon and cost, and the weather (hourly to
5 minutes, with wet bulb and dew point).
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dcsim import catalog
from dcsim.facility import presets, racks
from dcsim.facility.arrays import edges_s
from dcsim.facility.chain import FacilitySeries, evaluate
from dcsim.facility.plants import KINDS
from dcsim.facility.power import from_entry, redundant
from dcsim.facility.weather import WeatherYear, outdoor

STEP_S, STEPS = 300.0, 105_120
RACK_W = 20e3


def rack_chain() -> racks.RackChain:
    """Regulators, fans, N+N Titanium supplies and a busway tap for a rack of 20 kW of chips."""
    known = catalog.load()
    curve = {name: from_entry(known.get(name, "curve")) for name in ("vrm-48v", "psu-titanium", "pdu-busway")}
    return racks.RackChain(
        vrm=redundant(curve["vrm-48v"], RACK_W),
        fans=racks.Fans(0.06 * RACK_W, 1.1 * RACK_W),
        psu=redundant(curve["psu-titanium"], 1.25 * RACK_W, "2N"),
        pdu=redundant(curve["pdu-busway"], 1.5 * RACK_W),
    )


def climate() -> WeatherYear:
    """A temperate year of hours: a sine over the year and one over the day."""
    hour = np.arange(8760)
    dry_c = 12.0 - 12.0 * np.cos(2 * np.pi * hour / 8760) - 5.0 * np.cos(2 * np.pi * (hour - 3) / 24)
    return WeatherYear("temperate", 0.0, 0.0, outdoor(dry_c, relative_humidity=0.65))


def load_w(count: int) -> npt.NDArray[np.float32]:
    """Power of the chips, (steps, racks), W: a daily wave and noise."""
    rng = np.random.default_rng(1)
    found = rng.random((STEPS, count), dtype=np.float32)
    found *= np.float32(0.3 * RACK_W)
    wave = 0.5 + 0.15 * np.sin(2 * np.pi * np.arange(STEPS) / 288)
    found += (wave * RACK_W).astype(np.float32)[:, np.newaxis]
    return found


def whole(compute_w: npt.NDArray[np.float32], plant: str, year: WeatherYear) -> FacilitySeries:
    """All that is timed."""
    count = compute_w.shape[1]
    weather = year.over(edges_s(STEP_S, STEPS))
    found = racks.totals(compute_w, rack_chain(), inlet_c=25.0)
    site = presets.site(plant, presets.load("hyperscale"), 1.4 * RACK_W * count)
    site = replace(site, carbon_g_per_kwh=300.0, price_usd_per_kwh=0.08, ewif_l_per_kwh=2.0)
    return evaluate(found.it_w, STEP_S, site, weather)


def main() -> None:
    """Print a line for each number of racks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--racks", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--plant", choices=KINDS, default="water-economizer")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    year = climate()
    for count in given.racks:
        compute_w = load_w(count)
        seconds = []
        for _ in range(given.repeat):
            start = time.perf_counter()
            series = whole(compute_w, given.plant, year)
            seconds.append(time.perf_counter() - start)
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        pue = series.facility_w.sum() / series.it_w.sum()
        print(f"{count:5d} racks: {min(seconds):.2f} s best of {given.repeat}, peak {peak_gb:.2f} GB, PUE {pue:.4f}")


if __name__ == "__main__":
    main()
