"""Chillers and direct-expansion units: efficiency over temperature and part load, and staging of several.

Every curve gives the coefficient of performance, COP = heat taken up / electric power, from the temperature of the
sink (condenser water, or outdoor air), the part load and the temperature of the chilled water.

The trap: the DOE-2 curve of a centrifugal chiller, which ships with building simulators, holds for chilled water of
5 to 10 degC. Evaluated at the 15 to 20 degC of a data center its COP *falls* with warmer chilled water. `DoeCurve`
therefore stops at 10 degC; `EirCurve` has a separate factor for the chilled water.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Entry
from dcsim.errors import CatalogError
from dcsim.facility.arrays import FloatArray

#: Chilled water of the rating conditions, 44 degF (AHRI 550/590) [degC].
RATED_CHILLED_C = 6.67
#: Warmest chilled water for which the factor of 2-3 % per kelvin is claimed [degC].
WARMEST_CHILLED_C = 20.0
#: Below this part load the curves are flat: real chillers cycle there.
LEAST_PART_LOAD = 0.25


class Curve(Protocol):
    """Efficiency of one machine."""

    @property
    def name(self) -> str:
        """what error messages call it"""

    def cop(self, sink_c: npt.ArrayLike, part_load: npt.ArrayLike, chilled_c: npt.ArrayLike) -> FloatArray:
        """Coefficient of performance [1]; arguments broadcast against each other.

        Parameters:
            sink_c: condenser water, or outdoor air [degC]
            part_load: heat taken up over capacity [1]
            chilled_c: chilled water that leaves the machine [degC]
        """


@dataclass(frozen=True)
class EirCurve:
    """Energy input ratio as a polynomial of sink temperature T and part load p, with a factor for chilled water.

        EIR = k0 + k1 T + k2 T^2 + k3 p + k4 p^2 + k5 T p + k6 p^3
        COP = (1 + gain (T_ch - 6.67))/EIR,  T_ch up to 20 degC

    T is held to the range low_c to high_c, p to 0.25 to 1. The polynomials that ship are fitted to the COP tables of
    Lei and Masanet (Resour. Conserv. Recycl. 182, 106323, 2022).
    """

    coefficients: tuple[float, ...]
    """k0 to k6"""
    low_c: float
    high_c: float
    gain: float = 0.025
    """relative gain of COP per kelvin of warmer chilled water [1/K]"""
    name: str = "chiller"

    def cop(self, sink_c: npt.ArrayLike, part_load: npt.ArrayLike, chilled_c: npt.ArrayLike) -> FloatArray:
        """Coefficient of performance [1]; parameters as in `Curve.cop`."""
        t = np.clip(np.asarray(sink_c, dtype=np.float64), self.low_c, self.high_c)
        p = np.clip(np.asarray(part_load, dtype=np.float64), LEAST_PART_LOAD, 1.0)
        k0, k1, k2, k3, k4, k5, k6 = self.coefficients
        eir = k0 + t * (k1 + k2 * t) + p * (k3 + k5 * t + p * (k4 + k6 * p))
        warm = np.clip(np.asarray(chilled_c, dtype=np.float64), 0.0, WARMEST_CHILLED_C) - RATED_CHILLED_C
        return np.asarray((1.0 + self.gain * warm) / eir)


@dataclass(frozen=True)
class DoeCurve:
    """DOE-2 form of EnergyPlus `Chiller:Electric:EIR`: COP = COP_ref p/(EIRFT(T_ch, T_cw) EIRFPLR(p)).

    Chilled water is held to 5 to 10 degC, where the curve was measured; condenser water to 15.6 to 35 degC. Capacity
    over temperature (CAPFT) is left out: the part load is of the rated capacity.
    """

    reference_cop: float
    temperature: tuple[float, ...]
    """factors of 1, T_ch, T_ch^2, T_cw, T_cw^2, T_ch T_cw"""
    load: tuple[float, ...]
    """factors of 1, p, p^2"""
    name: str = "chiller"

    def cop(self, sink_c: npt.ArrayLike, part_load: npt.ArrayLike, chilled_c: npt.ArrayLike) -> FloatArray:
        """Coefficient of performance [1]; parameters as in `Curve.cop`."""
        return self.unguarded(np.clip(sink_c, 15.6, 35.0), part_load, np.clip(chilled_c, 5.0, 10.0))

    def unguarded(self, sink_c: npt.ArrayLike, part_load: npt.ArrayLike, chilled_c: npt.ArrayLike) -> FloatArray:
        """The bare curve, outside its range too: wrong there, kept to show by how much [1]."""
        t, c = np.asarray(sink_c, dtype=np.float64), np.asarray(chilled_c, dtype=np.float64)
        p = np.clip(np.asarray(part_load, dtype=np.float64), LEAST_PART_LOAD, 1.0)
        a = self.temperature
        eirft = a[0] + c * (a[1] + a[2] * c) + t * (a[3] + a[4] * t) + a[5] * c * t
        return np.asarray(self.reference_cop * p / (eirft * (self.load[0] + p * (self.load[1] + self.load[2] * p))))


@dataclass(frozen=True)
class CopTable:
    """COP by sink temperature alone, straight lines between points, flat outside: direct expansion."""

    sink_c: tuple[float, ...]
    values: tuple[float, ...]
    name: str = "chiller"

    def cop(self, sink_c: npt.ArrayLike, part_load: npt.ArrayLike, chilled_c: npt.ArrayLike) -> FloatArray:
        """Coefficient of performance [1]; part load and chilled water make no difference."""
        shape = np.broadcast_shapes(np.shape(sink_c), np.shape(part_load), np.shape(chilled_c))
        return np.broadcast_to(np.interp(np.asarray(sink_c, dtype=np.float64), self.sink_c, self.values), shape)


class Chilled(NamedTuple):
    """What a bank of chillers does; arrays of shape (steps,)."""

    power_w: FloatArray
    """electric power [W]"""
    served_w: FloatArray
    """heat taken up, at most the capacity [W]"""
    running: npt.NDArray[np.int64]
    """machines that run"""


@dataclass(frozen=True)
class Bank:
    """Equal machines that share a load.

    As many run as draw the least power together, none of them above `stage_share` of its capacity while another one
    is there to start. So power never falls when the load rises.
    """

    curve: Curve
    machines: int
    capacity_w: float
    """heat that all of them can take up together [W]"""
    stage_share: float = 0.9
    cop_factor: float = 1.0
    """COP of these machines over that of the curve [1]"""

    def run(self, heat_w: npt.ArrayLike, sink_c: npt.ArrayLike, chilled_c: npt.ArrayLike) -> Chilled:
        """Power and heat taken up at each step, shape (steps,).

        Parameters:
            heat_w: heat to be taken up [W]
            sink_c: condenser water, or outdoor air [degC]
            chilled_c: chilled water [degC]
        """
        heat, sink = np.broadcast_arrays(np.asarray(heat_w, dtype=np.float64), np.asarray(sink_c, dtype=np.float64))
        served = np.minimum(heat, self.capacity_w)
        counts = np.arange(1.0, self.machines + 1.0).reshape(-1, *[1] * heat.ndim)
        share = served * (self.machines / self.capacity_w) / counts
        power = served / (self.cop_factor * self.curve.cop(sink, share, chilled_c))
        power[:-1][share[:-1] > self.stage_share] = np.inf
        best = np.argmin(power, axis=0)
        drawn = np.take_along_axis(power, best[np.newaxis], axis=0)[0]
        return Chilled(drawn, served, np.where(served > 0.0, best + 1, 0))


def from_entry(entry: Entry) -> Curve:
    """Curve that a catalog entry of kind `cooling` describes.

    Its numbers `eir` (7), low_c, high_c, gain make an EirCurve; reference_cop, temperature (6), load (3) a DoeCurve;
    the tables sink_c and cop a CopTable. Raises CatalogError when it holds none of these, or tables that do not fit.
    """
    if "eir" in entry:
        factors = _tuple(entry, "eir", 7)
        return EirCurve(factors, entry["low_c"], entry["high_c"], entry["gain"], entry.name)
    if "reference_cop" in entry:
        return DoeCurve(entry["reference_cop"], _tuple(entry, "temperature", 6), _tuple(entry, "load", 3), entry.name)
    if "cop" in entry:
        sink = _tuple(entry, "sink_c", entry.array("cop").size)
        if list(sink) != sorted(set(sink)):
            raise CatalogError(f"{entry.name}: sink_c must ascend")
        return CopTable(sink, _tuple(entry, "cop", len(sink)), entry.name)
    raise CatalogError(
        f"{entry.name}: no efficiency curve; allowed: eir, low_c, high_c, gain; or reference_cop, temperature, load; "
        "or sink_c, cop"
    )


def _tuple(entry: Entry, key: str, size: int) -> tuple[float, ...]:
    values = entry.array(key)
    if values.shape != (size,):
        raise CatalogError(f"{entry.name}: {key} has shape {values.shape}; want {size} numbers")
    return tuple(values.tolist())
