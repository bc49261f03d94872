"""Files of the Neuromorphic Intermediate Representation: `read` makes a network of one.

`texts` and `file` read the HDF5 file within bounds, `nodes` says what each linear node does, `maps` folds chains of
them into connections, `reader` makes layers of the rest.
"""

from dcsim.chip.nir.reader import NEURONS, read

__all__ = ["NEURONS", "read"]
