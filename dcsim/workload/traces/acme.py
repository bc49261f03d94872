"""Acme (Shanghai AI Laboratory, InternLM/AcmeTrace, CC-BY-4.0): the job tables of the clusters Seren and Kalos.

As the format `helios`, with three differences. `kind` is the type of job. There are no virtual clusters: `queue` is the
time waited and is not read, nor are `duration` and `gpu_time`, its product with the GPUs. Times carry a zone; for a
copy without one, the option `timezone` says it.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces import _accounts
from dcsim.workload.traces._reading import Reading

OPTIONS = ("select", "timezone")

_LABELS = {"user": "user", "kind": "type", "state": "state"}


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors, share, cores, nodes, wait_s, run_s, user, kind, state. Raises TraceError."""
    return _accounts.read(path, reading, reading.timezone, _LABELS, ("duration", "queue", "gpu_time"))
