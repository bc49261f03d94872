"""One spiking network on one neuromorphic chip: from counts of events to seconds and joules.

what is run      network (layers, connections, neurons), files and nir to read it, layers to write it as a list
its activity     dynamics (input spikes to rasters), encoding
what is checked  given (numbers of a network), activity (spikes and updates of a run), facts (words of a chip)
where            placement (partition, slices), limits, ordering (communication), pace (ticks); spec: the chip
what it causes   wiring and fanout (spikes to messages and synapses), mesh (links), execution (counts to time, energy)
in which time    modes, and one file each: events, analog, scheduled, measured; noc: message by message
the answers      run (`execute`), profile (for the data center), outcome (board and host)
"""

from dcsim.chip.connections import Connection, Convolution, Dense, Sparse
from dcsim.chip.given import NetworkError
from dcsim.chip.limits import PORT, LimitError, check
from dcsim.chip.network import Layer, SpikingNetwork
from dcsim.chip.neurons import Neurons
from dcsim.chip.outcome import Board
from dcsim.chip.placement import Placement, place, replicate
from dcsim.chip.profile import spiking_profile
from dcsim.chip.run import ChipRun, execute
from dcsim.chip.spec import ChipSpec, Costs

__all__ = [
    "PORT",
    "Board",
    "ChipRun",
    "ChipSpec",
    "Connection",
    "Convolution",
    "Costs",
    "Dense",
    "Layer",
    "LimitError",
    "NetworkError",
    "Neurons",
    "Placement",
    "Sparse",
    "SpikingNetwork",
    "check",
    "execute",
    "place",
    "replicate",
    "spiking_profile",
]
