"""What can go wrong with a data set."""

from __future__ import annotations

from dcsim.errors import DcsimError


class DatasetError(DcsimError):
    """A data set that is not known, not in the cache, or whose file is not what it was."""


class DownloadError(DatasetError):
    """A data set that could not be downloaded: network, server, checksum or disk."""
