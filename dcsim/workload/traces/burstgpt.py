"""BurstGPT (HPMLL/BurstGPT, CC-BY-4.0): requests to language models of a university, one per row.

`Timestamp` is in seconds from the start of the trace. `Session ID` and `Elapsed time` are there in release 3 only; the
elapsed time is not read. `Total tokens` is the sum of the other two and is not read. A request with 0 response tokens
failed and is left out, as is one with 0 request tokens. `kind` is the model, `queue` the type of log.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces._columns import MAX_TOKENS, MISSING, Column, Label, Number
from dcsim.workload.traces._kept import load
from dcsim.workload.traces._reading import Reading

_COLUMNS: tuple[Column, ...] = (
    Number("Timestamp"),
    Label("Session ID", missing=MISSING),
    Label("Model"),
    Number("Request tokens", whole=True, most=MAX_TOKENS),
    Number("Response tokens", whole=True, most=MAX_TOKENS),
    Label("Log Type"),
)
_REQUIRED = ("Timestamp", "Request tokens", "Response tokens")


def read(path: Path, reading: Reading) -> Block:
    """Requests with input_tokens, output_tokens, kind and, where known, queue and session. Raises TraceError."""
    kept = load(path, reading, _COLUMNS, _REQUIRED, not_read=("Elapsed time", "Total tokens"))
    table = kept.table
    tokens_in, tokens_out = table["Request tokens"], table["Response tokens"]
    kept.leave_out((tokens_in == 0) | (tokens_out == 0), "no input or output tokens")
    kept.columns |= {"input_tokens": tokens_in, "output_tokens": tokens_out}
    if "Session ID" in table:
        kept.columns["session"] = table["Session ID"].astype(np.float64)
    kept.label("kind", "Model")
    kept.label("queue", "Log Type")
    return kept.block(table["Timestamp"])
