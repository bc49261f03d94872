"""Named random streams: the only source of randomness in dcsim.

Every consumer asks for a stream by name, so that adding a consumer never shifts the numbers of another, and two
scenarios that share a stream name share its numbers (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(root: int, replication: int, name: str) -> np.random.Generator:
    """Independent generator of the stream `name` in replication `replication` of root seed `root`."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    words = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(root, spawn_key=(replication, *words))))
