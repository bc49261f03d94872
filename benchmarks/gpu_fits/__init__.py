"""Fits of the GPU numbers of the catalog, one module for each kind of measurement; `fit_gpu.py` runs them."""
