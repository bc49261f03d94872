"""Facts as data: chips, boards, GPUs, hosts, racks, models, places; every number with unit, source and grade.

>>> from dcsim import catalog
>>> loihi = catalog.load().get("loihi", kind="chip")
>>> loihi["cores"]
128.0
"""

from dcsim.catalog.entries import GRADES, KINDS, Catalog, Entry, Quantity
from dcsim.catalog.loader import load

__all__ = ["GRADES", "KINDS", "Catalog", "Entry", "Quantity", "load"]
