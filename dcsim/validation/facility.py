"""Area `facility`: plants, power chain and water against published figures.

| kind | what is compared |
|---|---|
| operating_point | one moment of a site described by 36 published numbers, see `dcsim.validation.lei` |
| site_year | a preset with its plant through a year of an EPW file: annual PUE and WUE |
| power_chain | a supercomputer's converters: power at peak and idle, efficiency of the chain |
| identity | arithmetic of published water figures |
| interruptions | rates and mean times from counted interruptions |

A preset of the catalog is taken as it is: no case changes it. Rows of the site years that a preset was set by end as
`calibration`, identities and rates as `consistency`. An expected figure is {value, rel_tol} or a range [low, high].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field

from dcsim import seeds
from dcsim.facility import chain, presets
from dcsim.facility.power import LinearConverter
from dcsim.facility.water import of_it_energy
from dcsim.facility.weather import read_epw
from dcsim.validation import lei
from dcsim.validation.case import Area, Case, CaseError, Effort, Heading, NonNegative, Number, Part, Positive
from dcsim.validation.report import Row, compare

AREA_NAME = "facility"

#: system of a case -> (preset, kind of plant)
SYSTEMS: Mapping[str, tuple[str, str]] = {
    "economizer_adiabatic": ("hyperscale", "air-economizer"),
    "hyperscale_wse": ("hyperscale", "water-economizer"),
    "hyperscale_liquid": ("hyperscale", "liquid-dry"),
    "colo_economizer": ("colo", "air-economizer"),
    "colo_wse": ("colo", "water-economizer"),
    "colo_water_chiller": ("colo", "water-chiller"),
    "colo_economizer_air_chiller": ("colo", "air-economizer-dry"),
    "colo_air_chiller": ("colo", "air-chiller"),
    "small_water_chiller": ("small", "water-chiller"),
    "small_air_chiller": ("small", "air-chiller"),
    "small_dx": ("small", "dx"),
}
#: (system, climate zone) of the site years that were looked at while a preset was set
CALIBRATED = frozenset({("hyperscale_wse", zone) for zone in ("2B", "4A", "4C", "5A")})

_DESIGN_IT_W = 1e6
_HOUR_S = 3600.0
_REPLICATIONS = 200


class Near(Part):
    """A value and how far a result may be from it."""

    value: Number
    rel_tol: NonNegative


Range = Annotated[list[Number], Field(min_length=2, max_length=2)]
Expected = Annotated[dict[str, Near | Range], Field(min_length=1, max_length=100)]


class _Loose(Part):
    """Inputs with remarks: keys that nothing is done with are allowed."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Document(Heading):
    title: str = ""
    tag: str = ""
    expected: Expected


def _rows(
    case: Case, expected: Mapping[str, Near | list[float]], found: Mapping[str, float], holds: str, note: str = ""
) -> Iterator[Row]:
    """A row for each expected figure; one that is not computed is skipped."""
    for metric, want in expected.items():
        shown = metric[:60]
        if metric not in found:
            known = ", ".join(sorted(found))[:150]
            yield Row(AREA_NAME, case.name, shown, "skipped", note=f"metric is not computed; computed: {known}")
        elif isinstance(want, Near):
            yield compare(AREA_NAME, case.name, shown, want.value, found[metric], want.rel_tol, note, holds=holds)
        else:
            low, high = want
            if low > high:
                raise CaseError(f"expected.{shown}: range {low:g} to {high:g} is upside down")
            middle, half = (low + high) / 2, (high - low) / 2
            tolerance = half / (abs(middle) or 1.0) * (1 + 1e-12)
            said = f"{note}; {low:g} to {high:g}" if note else f"{low:g} to {high:g}"
            yield compare(AREA_NAME, case.name, shown, middle, found[metric], tolerance, said, holds=holds)


# ---------------------------------------------------------------- sites


class _PointInputs(_Loose):
    system: str
    vector: lei.Vector


class PointDocument(_Document):
    """A case of kind `operating_point`."""

    inputs: _PointInputs


def operating_point(case: Case, effort: Effort) -> Iterator[Row]:
    """PUE and WUE of one moment."""
    del effort
    document = case.read(PointDocument)
    found = lei.metrics(document.inputs.vector, document.inputs.system)
    yield from _rows(case, document.expected, found, "passed")


class _SiteInputs(_Loose):
    system: str
    epw: str
    climate_zone: str = ""
    dew_point_lock_C: Number | None = None


class SiteDocument(_Document):
    """A case of kind `site_year`."""

    inputs: _SiteInputs


def site_year(case: Case, effort: Effort) -> Iterator[Row]:
    """Annual PUE and WUE of a preset at its typical load."""
    del effort
    document = case.read(SiteDocument)
    given = document.inputs
    if given.system not in SYSTEMS:
        raise CaseError(f"inputs.system is {given.system[:40]!r}; allowed: {', '.join(SYSTEMS)}")
    name, kind = SYSTEMS[given.system]
    preset = presets.load(name)
    if given.dew_point_lock_C is not None and kind.startswith("air-economizer"):
        preset = presets.load(name, dew_point_max_c=given.dew_point_lock_C)
    series = year(kind, preset, case.locate(given.epw))
    it_kwh = float(series.it_w @ series.interval_s) / 3.6e6
    found = {
        "PUE": float(series.facility_w.sum() / series.it_w.sum()),
        "WUE_L_per_kWh": float(series.withdrawn_l.sum()) / it_kwh,
        "WUE_consumed_L_per_kWh": float(series.consumed_l.sum()) / it_kwh,
    }
    calibrated = (given.system, given.climate_zone) in CALIBRATED
    missed = int(series.missed.sum())
    note = f"preset {name}, plant {kind}" + (f", set point missed in {missed} h" if missed else "")
    yield from _rows(case, document.expected, found, "calibration" if calibrated else "passed", note)


def year(kind: str, preset: presets.Preset, epw: Any) -> chain.FacilitySeries:
    """A year of hours of a site of this class, at its typical constant load.

    Parameters:
        kind: one of `plants.KINDS`
        preset: class of site
        epw: path of the weather file
    """
    weather = read_epw(epw).weather
    it_w = np.full(len(weather.dry_bulb_c), _DESIGN_IT_W * preset.it_load_share)
    return chain.evaluate(it_w, _HOUR_S, presets.site(kind, preset, _DESIGN_IT_W), weather)


# ---------------------------------------------------------------- power chain


class _Device(Part):
    idle: NonNegative
    max: NonNegative
    per_node: Annotated[int, Field(ge=0, le=1000)]


class _Linear(_Loose):
    c_W: NonNegative
    eta: Annotated[Number, Field(gt=0.0, le=1.0)]


class _Rectifier(_Linear):
    per_chassis: Annotated[int, Field(ge=1, le=1000)]


class _ChainInputs(_Loose):
    cpu_W: _Device
    gpu_W: _Device
    mem_W_per_node: NonNegative = 0.0
    nic_W: NonNegative = 0.0
    nics_per_node: Annotated[int, Field(ge=0, le=1000)] = 0
    nvme_W_per_node: NonNegative = 0.0
    sivoc: _Linear
    rectifier: _Rectifier
    switch_W: NonNegative = 0.0
    switches_per_chassis: Annotated[int, Field(ge=0, le=1000)] = 0
    switches_fed_by: str = "rectifiers"
    nodes_per_chassis: Annotated[int, Field(ge=1, le=100_000)]
    nodes: Annotated[int, Field(ge=1, le=100_000_000)]
    cdu_W: NonNegative = 0.0
    cdus: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class ChainDocument(_Document):
    """A case of kind `power_chain`."""

    inputs: _ChainInputs


def power_chain(case: Case, effort: Effort) -> Iterator[Row]:
    """Power of the whole machine, and efficiency of its converters at given node powers."""
    del effort
    document = case.read(ChainDocument)
    given = document.inputs
    if given.switches_fed_by not in ("rectifiers", "mains"):
        raise CaseError(f"inputs.switches_fed_by is {given.switches_fed_by[:40]!r}; allowed: rectifiers, mains")
    found = {
        "peak_MW": _machine_w(given, given.cpu_W.max, given.gpu_W.max) / 1e6,
        "idle_MW": _machine_w(given, given.cpu_W.idle, given.gpu_W.idle) / 1e6,
    }
    for metric in document.expected:
        match = re.fullmatch(r"chain_efficiency_(\d{1,9})W", metric)
        if match and int(match[1]) > 0:
            node_w = float(match[1])
            found[metric] = given.nodes_per_chassis * node_w / _chassis_w(given, node_w, 0.0)
    yield from _rows(case, document.expected, found, "passed")


def _chassis_w(given: _ChainInputs, node_w: float, switches_w: float) -> float:
    """Input of a chassis' rectifiers, which share its load equally, W."""
    board = LinearConverter(given.sivoc.c_W, given.sivoc.eta, "on-board converter")
    rectifier = LinearConverter(given.rectifier.c_W, given.rectifier.eta, "rectifier")
    nodes_w = given.nodes_per_chassis * float(board.input_w(node_w, np.inf))
    return float(rectifier.input_w(nodes_w + switches_w, np.inf, given.rectifier.per_chassis))


def _machine_w(given: _ChainInputs, cpu_w: float, gpu_w: float) -> float:
    node_w = cpu_w * given.cpu_W.per_node + gpu_w * given.gpu_W.per_node + given.mem_W_per_node
    node_w += given.nic_W * given.nics_per_node + given.nvme_W_per_node
    switches_w = given.switch_W * given.switches_per_chassis
    inside = given.switches_fed_by == "rectifiers"
    chassis_w = _chassis_w(given, node_w, switches_w if inside else 0.0) + (0.0 if inside else switches_w)
    return given.nodes / given.nodes_per_chassis * chassis_w + given.cdu_W * given.cdus


# ---------------------------------------------------------------- identities


class _IdentityInputs(_Loose):
    IT_energy_MWh: Positive | None = None
    IT_energy_Wh_per_request: Positive | None = None
    PUE: Annotated[Number, Field(ge=1.0)] = 1.0
    WUE_onsite_L_per_kWh: NonNegative = 0.0
    EWIF_L_per_kWh: NonNegative = 0.0
    facility_energy_TWh: Positive | None = None
    direct_water_Ggal: NonNegative = 0.0
    indirect_water_Ggal: NonNegative = 0.0
    L_per_gal: Positive = 3.785


class IdentityDocument(_Document):
    """A case of kind `identity`."""

    inputs: _IdentityInputs


def identity(case: Case, effort: Effort) -> Iterator[Row]:
    """Water of training runs, of requests, or of a fleet, from annual figures."""
    del effort
    document = case.read(IdentityDocument)
    given = document.inputs
    found: dict[str, float] = {}
    if given.IT_energy_MWh is not None:
        water = _water(given, given.IT_energy_MWh * 1e3)
        found |= {"onsite_ML": water[0] / 1e6, "offsite_ML": water[1] / 1e6, "total_ML": sum(water) / 1e6}
    if given.IT_energy_Wh_per_request is not None:
        litres = sum(_water(given, given.IT_energy_Wh_per_request / 1e3))
        found |= {"mL_per_request": 1e3 * litres} | ({"requests_per_500mL": 0.5 / litres} if litres > 0.0 else {})
    if given.facility_energy_TWh is not None:
        per_kwh = given.L_per_gal / given.facility_energy_TWh  # Ggal over TWh is gal over kWh
        found |= {
            "direct_L_per_facility_kWh": given.direct_water_Ggal * per_kwh,
            "indirect_L_per_facility_kWh": given.indirect_water_Ggal * per_kwh,
        }
    if not found:
        raise CaseError("inputs has none of IT_energy_MWh, IT_energy_Wh_per_request, facility_energy_TWh")
    yield from _rows(case, document.expected, found, "consistency")


def _water(given: _IdentityInputs, it_kwh: float) -> tuple[float, float]:
    litres = of_it_energy(it_kwh, given.PUE, given.WUE_onsite_L_per_kWh, given.EWIF_L_per_kWh)
    return litres.site_l, litres.source_l


# ---------------------------------------------------------------- interruptions


_Count = Annotated[Number, Field(ge=0.0, le=1e4)]


class _InterruptionInputs(_Loose):
    gpus: Annotated[int, Field(ge=1, le=100_000_000)]
    gpus_per_server: Annotated[int, Field(ge=1, le=1000)] = 8
    days: Positive
    counts_by_cause: Annotated[dict[str, _Count], Field(min_length=1, max_length=1000)]


class InterruptionDocument(_Document):
    """A case of kind `interruptions`."""

    inputs: _InterruptionInputs


#: metric -> causes whose counts it adds
_RATES = {
    "rate_faulty_gpu_per_1e6_gpu_h": "faulty_gpu",
    "rate_hbm_per_1e6_gpu_h": "hbm3",
    "rate_network_per_1e6_gpu_h": "switch_cable",
    "rate_psu_per_1e6_gpu_h": "psu",
}


def interruptions(case: Case, effort: Effort) -> Iterator[Row]:
    """Rates and mean times between interruptions; the total is the mean of simulated runs of the same length."""
    del effort
    document = case.read(InterruptionDocument)
    given = document.inputs
    hours = given.days * 24.0
    gpu_h, total = given.gpus * hours, sum(given.counts_by_cause.values())
    if total <= 0.0:
        raise CaseError("inputs.counts_by_cause: no interruption was counted")
    found = {
        "interruptions_total": _simulated(list(given.counts_by_cause.values()), hours),
        "MTBF_per_gpu_kh": gpu_h / total / 1e3,
        "cluster_MTBF_h": hours / total,
    }
    for metric, cause in _RATES.items():
        if cause in given.counts_by_cause:
            found[metric] = given.counts_by_cause[cause] / gpu_h * 1e6
    if "psu" in given.counts_by_cause:
        found["rate_psu_per_1e6_server_h"] = found["rate_psu_per_1e6_gpu_h"] * given.gpus_per_server
    yield from _rows(case, document.expected, found, "consistency")


def _simulated(counts: list[float], hours: float) -> float:
    """Mean number of interruptions in runs of `hours`, each cause a renewal process with its mean gap."""
    totals = np.zeros(_REPLICATIONS)
    for number, count in enumerate(counts):
        if count > 0.0:
            rng = seeds.generator(1, number, "interruptions")
            drawn = round(count + 10.0 * np.sqrt(count) + 20.0)  # more than can happen, by ten standard deviations
            gaps = rng.exponential(hours / count, (_REPLICATIONS, drawn))
            totals += (np.cumsum(gaps, axis=1) < hours).sum(axis=1)
    return float(totals.mean())


# ---------------------------------------------------------------- built in

#: Demonstration point of Lei and Masanet's published code (version ae1fe73).
_LEI_POINT = {
    **{"T": 9, "RH": 10, "P": 101325, "ups": 0.894746094, "pd": 0.0284082031, "light": 0.0472167969},
    **{"shr": 0.951835937, "dTa": 9.49707031, "fanPa": 650.488281, "fane": 0.613867188, "hdPa": 6418945.31},
    **{"hde": 0.650976563, "HTE": 0.690283203, "dTw": 6.91894531, "AT": 3.35986328, "ATHE": 2.10712891},
    **{"wePa": 156284.191, "wee": 0.668945312, "cwPa": 171884.552, "cwe": 0.745117188, "plr": 0.308984375},
    **{"dTct": 5.09960938, "ctpPa": 246235.102, "ctpe": 0.708007812, "wind": 0.00293588867, "CC": 11.1650391},
    **{"LG": 0.272070313, "ctPa": 395.898438, "cte": 0.611914063, "Tup": 28.7041016, "Tlw": 15.4423828},
    **{"dpu": 16.7460938, "dpl": -11.1123047, "RHu": 71.8554688, "RHl": 26.0351562, "pcop": -0.091796875},
}
_FRONTIER = {
    **{"cpu_W": {"idle": 90, "max": 280, "per_node": 1}, "gpu_W": {"idle": 88, "max": 560, "per_node": 4}},
    **{"mem_W_per_node": 74.26, "nic_W": 20, "nics_per_node": 4, "nvme_W_per_node": 30},
    **{"sivoc": {"c_W": 13, "eta": 0.98}, "rectifier": {"c_W": 17, "eta": 0.96, "per_chassis": 4}},
    **{"switch_W": 250, "switches_per_chassis": 4, "nodes_per_chassis": 16, "nodes": 9472},
    **{"cdu_W": 8473.47, "cdus": 25},
}
_REN = {"PUE": 1.17, "WUE_onsite_L_per_kWh": 0.55, "EWIF_L_per_kWh": 3.142}
#: Interruptions of Llama 3 405B by cause, 54 days on 16,384 GPUs (Llama 3 report).
_LLAMA = {
    **{"faulty_gpu": 148, "hbm3": 72, "software": 54, "switch_cable": 35, "host_maintenance": 32, "gpu_sram": 19},
    **{"gsp": 17, "nic": 7, "nccl_watchdog": 7, "sdc": 6, "thermal_sensor": 6, "ssd": 3, "psu": 3, "chassis": 2},
    **{"io_board": 2, "dependency": 2, "cpu": 2, "ram": 2},
}


def _near(value: float, rel_tol: float) -> dict[str, float]:
    return {"value": value, "rel_tol": rel_tol}


#: (kind, name, inputs, expected)
_BUILTIN: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    (
        "operating_point",
        "colo with water-side economizer (Lei and Masanet)",
        {"system": "colo_wse", "vector": _LEI_POINT},
        {"PUE": _near(1.3392, 0.002), "WUE_L_per_kWh": _near(2.4174, 0.002)},
    ),
    (
        "power_chain",
        "Frontier (ExaDigiT RAPS)",
        _FRONTIER,
        {
            "peak_MW": _near(28.23, 0.003),
            "idle_MW": _near(7.31, 0.015),
            "chain_efficiency_500W": _near(0.91, 0.001),
            "chain_efficiency_1000W": _near(0.925, 0.001),
            "chain_efficiency_2704W": _near(0.935, 0.001),
        },
    ),
    (
        "identity",
        "GPT-3 training water (arXiv 2304.03271)",
        {"IT_energy_MWh": 1287, **_REN},
        {"onsite_ML": _near(0.708, 0.002), "offsite_ML": _near(4.731, 0.002), "total_ML": _near(5.439, 0.002)},
    ),
    (
        "identity",
        "water of a request (arXiv 2304.03271)",
        {"IT_energy_Wh_per_request": 4, **_REN},
        {"mL_per_request": _near(16.9, 0.002), "requests_per_500mL": _near(29.6, 0.003)},
    ),
    (
        "identity",
        "US data centers 2023 (LBNL)",
        {"facility_energy_TWh": 176, "direct_water_Ggal": 17, "indirect_water_Ggal": 211},
        {"direct_L_per_facility_kWh": [0.36, 0.38], "indirect_L_per_facility_kWh": _near(4.52, 0.01)},
    ),
    (
        "interruptions",
        "Llama 3 405B, 54 days",
        {"gpus": 16384, "gpus_per_server": 8, "days": 54, "counts_by_cause": _LLAMA},
        {
            "interruptions_total": [399, 439],
            "MTBF_per_gpu_kh": _near(50.7, 0.005),
            "cluster_MTBF_h": _near(3.09, 0.005),
            "rate_psu_per_1e6_server_h": _near(1.13, 0.005),
        },
    ),
)


def builtin() -> Iterator[Case]:
    """Figures that need no file; site years need weather files."""
    for kind, name, inputs, expected in _BUILTIN:
        yield Case(kind, name, {"kind": kind, "id": name, "inputs": inputs, "expected": expected})


_KINDS: Mapping[str, Callable[[Case, Effort], Iterator[Row]]] = {
    "operating_point": operating_point,
    "site_year": site_year,
    "power_chain": power_chain,
    "identity": identity,
    "interruptions": interruptions,
}
AREA = Area(AREA_NAME, _KINDS, builtin)
