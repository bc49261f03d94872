"""Losses of power converters: supplies, UPS, transformers, distribution.

Every converter answers the same questions about n equal modules that share a load: `loss_w`, `input_w`,
`efficiency` and `marginal` (what one more watt of output costs at the input). A load above the rating is an
error, never an extrapolation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Entry
from dcsim.errors import CatalogError, ScenarioError, nearest
from dcsim.facility.arrays import FloatArray
from dcsim.units import in_words

#: A sum of many rack powers may pass the rating by its rounding error.
_ROUNDING = 1e-9


class Converter(ABC):
    """n equal modules in parallel that share their load equally.

    The parameters are the same everywhere:
        out_w: power delivered by all modules together, any shape [W]
        rated_w: rated output of one module [W]
        modules: modules that are on; 1 for N, 2 for N+N supplies or a 2N UPS, N + 1 for N+1 [1]

    Every method raises ScenarioError when a load is negative, not a number, or above rated_w x modules.
    """

    name: str

    @abstractmethod
    def loss_w(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """Loss of all modules together, shape of out_w [W]."""

    @abstractmethod
    def marginal(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """dP_in/dP_out at this load, shape of out_w [1]."""

    def input_w(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """Power drawn by all modules together, shape of out_w [W]."""
        drawn = self.loss_w(out_w, rated_w, modules)
        drawn += np.asarray(out_w, dtype=np.float64)
        return drawn

    def efficiency(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """P_out/P_in, shape of out_w [1]; 1 where nothing is drawn."""
        drawn = self.input_w(out_w, rated_w, modules)
        return np.divide(np.asarray(out_w, dtype=np.float64), drawn, out=np.ones_like(drawn), where=drawn > 0)

    def _load(self, out_w: npt.ArrayLike, rated_w: float, modules: int) -> FloatArray:
        out = np.asarray(out_w, dtype=np.float64)
        limit = rated_w * modules
        if not (modules >= 1 and limit > 0):
            raise ScenarioError(f"{self.name}: rated output {rated_w:g} W x {modules} modules; want more than 0 W")
        # written so that a NaN fails too
        if out.size and not (out.min() >= 0.0 and out.max() <= limit * (1 + _ROUNDING)):
            worst = float(out.max() if out.min() >= 0.0 else out.min())
            rating = f"{in_words(rated_w, 'W')} x {modules}" if modules > 1 else in_words(rated_w, "W")
            raise ScenarioError(f"{self.name}: load of {in_words(worst, 'W')}; allowed 0 W to its rating of {rating}")
        return out


@dataclass(frozen=True)
class LossCurve(Converter):
    """Loss as a quadratic in the load: L = P_r (a0 + a1 x + a2 x^2), x = P_out/P_r.

    n modules: L = n a0 P_r + a1 P + a2 P^2/(n P_r). The three terms are the no-load, proportional and
    square-law losses that Schneider Electric White Paper 108 splits UPS losses into. Valid for 0 <= x <= 1.

    Raises CatalogError when a coefficient is not in 0..1.
    """

    a0: float
    """no-load loss over rated output [1]"""
    a1: float
    """loss in proportion to the load [1]"""
    a2: float
    """square-law loss at full load over rated output [1]"""
    name: str = "converter"

    def __post_init__(self) -> None:
        for key, value in (("a0", self.a0), ("a1", self.a1), ("a2", self.a2)):
            if not 0.0 <= value <= 1.0:
                raise CatalogError(f"{self.name}: {key} is {value:g}; allowed 0 to 1")

    def loss_w(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """Loss of all modules together, shape of out_w [W]."""
        out = self._load(out_w, rated_w, modules)
        # Horner's scheme in one buffer, because a year of 100 racks is 84 MB
        loss = np.multiply(out, self.a2 / (modules * rated_w))
        loss += self.a1
        loss *= out
        loss += modules * self.a0 * rated_w
        return cast(FloatArray, loss)

    def marginal(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """dP_in/dP_out = 1 + a1 + 2 a2 P/(n P_r), shape of out_w [1]."""
        out = self._load(out_w, rated_w, modules)
        slope = np.multiply(out, 2 * self.a2 / (modules * rated_w))
        slope += 1 + self.a1
        return cast(FloatArray, slope)


@dataclass(frozen=True)
class CertificateCurve(Converter):
    """Efficiency known at a few loads, as on an 80 PLUS certificate: the *loss* is linear between the points.

    At a point with load x and efficiency e the loss is P_r x (1/e - 1). Below the first point the first
    segment is prolonged (not below 0), which gives the no-load loss. Interpolating efficiency instead would
    hide that loss, and quadratics miss Platinum and Gold certificates by more than a percentage point.

    Raises CatalogError when the points are not loads ascending to 1, with efficiencies in 0..1.
    """

    load: tuple[float, ...]
    """output over rated output at each point, ascending to 1 [1]"""
    certified: tuple[float, ...]
    """efficiency at each point [1]"""
    name: str = "converter"
    _x: FloatArray = field(init=False, repr=False, compare=False)
    _loss: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        x, efficiency = np.array(self.load, dtype=np.float64), np.array(self.certified, dtype=np.float64)
        ascending = x.ndim == 1 and len(x) >= 2 and x[0] > 0 and x[-1] == 1 and bool(np.all(np.diff(x) > 0))
        if not ascending or x.shape != efficiency.shape or not np.all((efficiency > 0) & (efficiency <= 1)):
            raise CatalogError(
                f"{self.name}: loads {list(self.load)}, efficiencies {list(self.certified)}; "
                "allowed: two or more loads ascending to 1, each with an efficiency above 0 and up to 1"
            )
        loss = x * (1 / efficiency - 1)
        standing = max(loss[0] - x[0] * (loss[1] - loss[0]) / (x[1] - x[0]), 0.0)
        object.__setattr__(self, "_x", np.concatenate([[0.0], x]))
        object.__setattr__(self, "_loss", np.concatenate([[standing], loss]))

    def loss_w(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """Loss of all modules together, shape of out_w [W]."""
        total_w = modules * rated_w
        out = self._load(out_w, rated_w, modules)
        return cast(FloatArray, np.interp(out, self._x * total_w, self._loss * total_w))

    def marginal(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """dP_in/dP_out of the segment that the load lies in, at a point the one above, shape of out_w [1]."""
        slopes = np.diff(self._loss) / np.diff(self._x)
        share = self._load(out_w, rated_w, modules) / (modules * rated_w)
        return np.asarray(1 + slopes[np.searchsorted(self._x[1:-1], share, side="right")])


@dataclass(frozen=True)
class LinearConverter(Converter):
    """Converter with a constant loss and a constant efficiency: P_in = (P_out + n c)/eta.

    The form of the on-board converters and rectifiers of Frontier in ExaDigiT RAPS (version 6c142bf). It does
    not depend on the rating; `rated_w` only guards against overload, and math.inf leaves the guard out.
    """

    offset_w: float
    """constant c of one module [W]"""
    eta: float
    """efficiency without the constant [1]"""
    name: str = "converter"

    def __post_init__(self) -> None:
        if not (self.offset_w >= 0 and 0 < self.eta <= 1):
            raise CatalogError(
                f"{self.name}: offset {self.offset_w:g} W, eta {self.eta:g}; allowed: from 0 W, 0 < eta <= 1"
            )

    def loss_w(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """Loss of all modules together, shape of out_w [W]."""
        out = self._load(out_w, rated_w, modules)
        return (out + modules * self.offset_w) / self.eta - out

    def marginal(self, out_w: npt.ArrayLike, rated_w: float, modules: int = 1) -> FloatArray:
        """dP_in/dP_out = 1/eta, shape of out_w [1]."""
        return np.full_like(self._load(out_w, rated_w, modules), 1 / self.eta)


@dataclass(frozen=True)
class Bank:
    """A converter with its rating and its modules: one stage of a power chain.

    Raises ScenarioError when staged_at is not above 0 and up to 1.
    """

    converter: Converter
    rated_w: float
    """rated output of one module [W]"""
    modules: int = 1
    """modules that can run"""
    staged_at: float | None = None
    """load of a module above which the next one is switched on; None keeps all of them on [1]"""

    def __post_init__(self) -> None:
        if self.staged_at is not None and not 0.0 < self.staged_at <= 1.0:
            raise ScenarioError(f"{self.converter.name}: modules are staged at {self.staged_at:g}; allowed 0 to 1")

    @property
    def capacity_w(self) -> float:
        """What all modules can deliver together [W]."""
        return self.rated_w * self.modules

    def failed(self, modules: int) -> Bank:
        """The bank after so many modules have failed: the others take their load.

        Raises ScenarioError when none is left.
        """
        if not 0 <= modules < self.modules:
            raise ScenarioError(f"{self.converter.name}: {modules} of {self.modules} modules failed; one must be left")
        return replace(self, modules=self.modules - modules)

    def shed_w(self, out_w: npt.ArrayLike) -> FloatArray:
        """Load above the capacity, which has to be shed, shape of out_w [W]."""
        return np.maximum(np.asarray(out_w, dtype=np.float64) - self.capacity_w, 0.0)

    def running(self, out_w: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Modules that are on, n = ceil(P/(staged_at P_r)), at least one, at most all, shape of out_w."""
        out = np.asarray(out_w, dtype=np.float64)
        if self.staged_at is None:
            return np.full(out.shape, self.modules, dtype=np.int64)
        wanted = np.ceil(out / (self.staged_at * self.rated_w) * (1 - _ROUNDING))
        return np.clip(wanted, 1, self.modules).astype(np.int64)

    def loss_w(self, out_w: npt.ArrayLike) -> FloatArray:
        """Loss of the stage, shape of out_w [W]."""
        if self.staged_at is None:
            return self.converter.loss_w(out_w, self.rated_w, self.modules)
        return self._by_modules(out_w, self.converter.loss_w)

    def input_w(self, out_w: npt.ArrayLike) -> FloatArray:
        """Power drawn by the stage, shape of out_w [W]."""
        return np.asarray(self.loss_w(out_w) + np.asarray(out_w, dtype=np.float64))

    def marginal(self, out_w: npt.ArrayLike) -> FloatArray:
        """dP_in/dP_out of the stage with the modules that are on, shape of out_w [1]."""
        if self.staged_at is None:
            return self.converter.marginal(out_w, self.rated_w, self.modules)
        return self._by_modules(out_w, self.converter.marginal)

    def _by_modules(self, out_w: npt.ArrayLike, of: Callable[[FloatArray, float, int], FloatArray]) -> FloatArray:
        out = np.asarray(out_w, dtype=np.float64)
        on = self.running(out)
        found = np.empty(out.shape)
        for count in np.unique(on).tolist():
            there = on == count
            found[there] = of(out[there], self.rated_w, count)
        return found


#: redundancy -> (strings, spare modules)
REDUNDANCY: Mapping[str, tuple[int, int]] = {"N": (1, 0), "N+1": (1, 1), "N+2": (1, 2), "2N": (2, 0), "2N+1": (2, 1)}


def redundant(
    converter: Converter, load_w: float, redundancy: str = "N", modules: int = 1, staged_at: float | None = None
) -> Bank:
    """A stage for a load: `modules` equal ones carry all of it, and redundancy adds more, which share it.

    N+1 adds a module; 2N doubles them (two strings, each able to carry everything); 2N+1 adds one to each string.

    Parameters:
        converter: one module
        load_w: the most that the stage has to deliver [W]
        redundancy: one of REDUNDANCY
        modules: modules that carry the load
        staged_at: as in Bank

    Raises ScenarioError for an unknown redundancy, no module, or a load that is not positive.
    """
    if redundancy not in REDUNDANCY:
        raise ScenarioError(f"redundancy is {redundancy[:20]!r}{nearest(redundancy[:20], REDUNDANCY)}")
    if not (modules >= 1 and 0.0 < load_w < np.inf):
        raise ScenarioError(f"{converter.name}: {modules} modules for {load_w:g} W; allowed: from 1, above 0 W")
    strings, spare = REDUNDANCY[redundancy]
    return Bank(converter, load_w / modules, strings * (modules + spare), staged_at)


def from_entry(entry: Entry) -> Converter:
    """Converter that a catalog entry of kind `curve` describes.

    Its numbers a0, a1, a2 make a LossCurve; the tables load and efficiency a CertificateCurve; offset_w and
    eta a LinearConverter. Raises CatalogError when it holds none of these.
    """
    if "a0" in entry:
        return LossCurve(entry["a0"], entry["a1"], entry["a2"], name=entry.name)
    if "load" in entry:
        load, certified = entry.array("load"), entry.array("efficiency")
        return CertificateCurve(tuple(load.tolist()), tuple(certified.tolist()), name=entry.name)
    if "offset_w" in entry:
        return LinearConverter(entry["offset_w"], entry["eta"], name=entry.name)
    raise CatalogError(f"{entry.name}: no loss curve; allowed: a0, a1, a2; or load, efficiency; or offset_w, eta")
