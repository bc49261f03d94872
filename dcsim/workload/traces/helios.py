"""Helios (SenseTime, S-Lab-System-Group/HeliosData, CC-BY-4.0): `cluster_log.csv` of a cluster, one job per row.

Times are local without a zone, and China has no daylight saving, so that their differences are exact. Run time = end -
start, waiting time = start - submit; the columns `duration` and `queue`, which say the same, are not read. Jobs of
every state (COMPLETED, CANCELLED, FAILED, TIMEOUT, NODE_FAIL) are jobs if they ran. Left out are those that never
started, have not ended or ended in the second of their start, and those without GPUs and cores. A job without GPUs
holds its cores; the option `select`, gpu or cpu, takes one sort. Arrivals count from the first job that is kept.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces import _accounts
from dcsim.workload.traces._reading import Reading

OPTIONS = ("select",)

_LABELS = {"user": "user", "tenant": "vc", "state": "state"}


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors, share, cores, nodes, wait_s, run_s, user, tenant (the virtual cluster), state."""
    return _accounts.read(path, reading, "UTC", _LABELS, ("duration", "queue", "jobname"))
