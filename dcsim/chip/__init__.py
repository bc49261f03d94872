"""One spiking network on one neuromorphic chip: from counts of events to seconds and joules."""

from dcsim.chip.network import Layer, NetworkError, SpikingNetwork
from dcsim.chip.placement import LimitError, Placement, place
from dcsim.chip.profile import spiking_profile
from dcsim.chip.spec import ChipSpec, Costs

__all__ = [
    "ChipSpec",
    "Costs",
    "Layer",
    "LimitError",
    "NetworkError",
    "Placement",
    "SpikingNetwork",
    "place",
    "spiking_profile",
]
