"""Azure LLM inference traces (Azure/AzurePublicDataset), one request per row.

Two layouts: the original `TIMESTAMP,ContextTokens,GeneratedTokens`, and `arrived_at,num_prefill_tokens,
num_decode_tokens` with seconds, as vidur publishes it. Times count from the first request in the original
layout and are taken as they are in the other. Rows need not be sorted; equal times keep the order of the
file. A row without input or output tokens is a failed request: it is left out and counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _table
from dcsim.workload.traces._reading import Reading

_TIMESTAMP = _table.Timestamp("TIMESTAMP")
_ORIGINAL: tuple[_table.Column, ...] = (
    _TIMESTAMP,
    _table.Number("ContextTokens", whole=True, most=_table.MAX_TOKENS),
    _table.Number("GeneratedTokens", whole=True, most=_table.MAX_TOKENS),
)
_SECONDS: tuple[_table.Column, ...] = (
    _table.Number("arrived_at"),
    _table.Number("num_prefill_tokens", whole=True, most=_table.MAX_TOKENS),
    _table.Number("num_decode_tokens", whole=True, most=_table.MAX_TOKENS),
)


def read(path: Path, reading: Reading) -> Block:
    """Requests with columns input_tokens and output_tokens; raises TraceError."""
    del reading
    names = _table.header(path)
    layout = _ORIGINAL if "TIMESTAMP" in names else _SECONDS
    columns = _table.choose(path, names, layout, [column.name for column in layout])
    table = _table.read(path, columns, _table.Layout())
    when, tokens_in, tokens_out = (table[column.name] for column in layout)
    arrival_s = _since_first(when) if layout is _ORIGINAL else when
    kept = (tokens_in > 0) & (tokens_out > 0)
    if not kept.any():
        raise TraceError(f"{path}: no row has both input and output tokens")
    rows = np.flatnonzero(kept)
    order = rows[np.argsort(arrival_s[rows], kind="stable")]
    sizes = {"input_tokens": tokens_in, "output_tokens": tokens_out}
    return _table.by_arrival(arrival_s, sizes, order, {"no input or output tokens": len(arrival_s) - len(rows)})


def _since_first(cells: npt.NDArray[Any]) -> FloatArray:
    moments = _TIMESTAMP.moments(cells).astype(np.int64)
    return np.asarray((moments - moments.min()) / 1e9, dtype=np.float64)
