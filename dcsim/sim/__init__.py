"""The simulation itself: clock, dispatcher, processes, and `simulate`, which turns a scenario into a result."""

from dcsim.sim.clock import Clock
from dcsim.sim.model import Model
from dcsim.sim.simulate import simulate

__all__ = ["Clock", "Model", "simulate"]
