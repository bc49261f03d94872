"""Named random streams: the only source of randomness in dcsim.

Every consumer asks for a stream by name, so that adding a consumer never shifts the numbers of another, and two
scenarios that share a stream name share its numbers (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np

from dcsim.errors import DcsimError


def generator(root: int, replication: int, name: str) -> np.random.Generator:
    """Independent generator of the stream `name` in replication `replication` of root seed `root`.

    Raises DcsimError for a seed or replication that is no whole number from 0.
    """
    for key, number in (("seed", root), ("replication", replication)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise DcsimError(f"{key}: found {str(number)[:40]}, want a whole number from 0")
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    words = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(root, spawn_key=(replication, *words))))
