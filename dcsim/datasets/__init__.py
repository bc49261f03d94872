"""Public data sets: where each comes from, and its file on this machine, downloaded once and checked.

>>> from dcsim import datasets
>>> datasets.find("mooncake-conversation").licence
'Apache-2.0'
"""

from dcsim.datasets.problems import DatasetError, DownloadError
from dcsim.datasets.registry import Dataset, find, known
from dcsim.datasets.store import Got, cache_folder, cached_path, get, presence

__all__ = [
    "Dataset",
    "DatasetError",
    "DownloadError",
    "Got",
    "cache_folder",
    "cached_path",
    "find",
    "get",
    "known",
    "presence",
]
