"""What a neuron does in one time step: parameters of a discrete update that covers the models in use.

With x the summed weight of what arrived and b the layer's bias, one step is

    i = current_decay i + current_gain (x + b)
    v = decay v + gain i + offset            less threshold if `reset` is "subtract" and it fired a step ago
    fires if v > threshold                   or v >= threshold where `at_threshold` is set
    v = v_reset where it fired               if `reset` is "value"; v - threshold at once if it is "subtract-now"

A layer that does not spike (`spiking` False) hands on v itself. All states start at 0. The differential equations of
the Neuromorphic Intermediate Representation (Pedersen et al., Nature Communications 15 (2024) 8122) map to these
numbers by forward Euler with time step dt, or by the exact solution for an input that is constant during the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim.service import FloatArray

#: What becomes of the potential of a neuron that fired: set to `v_reset`; lowered by the threshold in the next step,
#: after the decay; lowered by the threshold at once.
Reset: TypeAlias = Literal["value", "subtract", "subtract-now"]

RESETS: tuple[Reset, ...] = ("value", "subtract", "subtract-now")

#: How a differential equation becomes a step: forward Euler; or exactly, with the input constant during the step.
Integration: TypeAlias = Literal["euler", "exponential"]

INTEGRATIONS: tuple[Integration, ...] = ("euler", "exponential")

Parameter: TypeAlias = float | npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Neurons:
    """Parameters of the neurons of a layer; each a number or an array of shape (neurons,)."""

    decay: Parameter = 0.0
    gain: Parameter = 1.0
    offset: Parameter = 0.0
    threshold: Parameter = 1.0
    v_reset: Parameter = 0.0
    current_decay: Parameter = 0.0
    current_gain: Parameter = 1.0
    reset: Reset = "value"
    at_threshold: bool = False
    spiking: bool = True
    resolution: float = 0.0
    """the potential after its decay is cut towards 0 to a multiple of this; 0: it is not"""

    @classmethod
    def leaky(
        cls,
        dt_s: float,
        tau_s: Parameter,
        r: Parameter,
        v_leak: Parameter,
        integration: Integration = "euler",
        **rest: Any,
    ) -> Neurons:
        """Leaky integrator, tau v' = v_leak - v + r i, in steps of dt_s; `rest` are fields of `Neurons`."""
        step = approach(dt_s, tau_s, integration)
        return cls(decay=1.0 - step, gain=step * r, offset=step * v_leak, **rest)

    @classmethod
    def integrating(cls, dt_s: float, r: Parameter, **rest: Any) -> Neurons:
        """Integrator without leak, v' = r i, in steps of dt_s; `rest` are fields of `Neurons`."""
        return cls(decay=1.0, gain=dt_s * np.asarray(r, dtype=np.float64), **rest)


def approach(dt_s: float, tau_s: Parameter, integration: Integration = "euler") -> FloatArray:
    """Share of the way to its rest that x goes in a step of tau x' = rest - x: dt / tau, or 1 - exp(-dt / tau)."""
    ratio: FloatArray = dt_s / np.asarray(tau_s, dtype=np.float64)
    return ratio if integration == "euler" else -np.expm1(-ratio)
