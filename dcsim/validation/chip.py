"""Area `chip`: spiking networks on neuromorphic chips against another simulator, trained networks and silicon."""

from __future__ import annotations

from dcsim.validation import nir, published, sanafe
from dcsim.validation.case import Area

AREA = Area("chip", {"published": published.check, "sanafe": sanafe.check, "nir": nir.nir_case}, published.builtin)
