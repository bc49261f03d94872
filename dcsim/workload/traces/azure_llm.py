"""Azure LLM inference traces (Azure/AzurePublicDataset, CC-BY-4.0), one request per row.

Two layouts: the original `TIMESTAMP,ContextTokens,GeneratedTokens` of 2023 and 2024, whose times without a zone are
UTC; and `arrived_at,num_prefill_tokens,num_decode_tokens` with seconds, as vidur publishes the trace. Of 2025 the
original has `NumImages` too. Times count from the first request in the original layout and are taken as they are in
the other. A row without input or output tokens is a failed request: it is left out.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces import _table
from dcsim.workload.traces._columns import MAX_TOKENS, Column, Moment, Number
from dcsim.workload.traces._kept import Kept, since_first
from dcsim.workload.traces._reading import Reading, Rows

_ORIGINAL: tuple[Column, ...] = (
    Moment("TIMESTAMP"),
    Number("ContextTokens", whole=True, most=MAX_TOKENS),
    Number("GeneratedTokens", whole=True, most=MAX_TOKENS),
    Number("NumImages", whole=True, most=MAX_TOKENS),
)
_SECONDS: tuple[Column, ...] = (
    Number("arrived_at"),
    Number("num_prefill_tokens", whole=True, most=MAX_TOKENS),
    Number("num_decode_tokens", whole=True, most=MAX_TOKENS),
)


def read(path: Path, reading: Reading) -> Block:
    """Requests with columns input_tokens, output_tokens and, where given, images. Raises TraceError."""
    names = _table.header(path)
    layout = _ORIGINAL if "TIMESTAMP" in names else _SECONDS
    when, tokens_in, tokens_out = (column.name for column in layout[:3])
    columns = _table.choose(path, names, layout, [when, tokens_in, tokens_out])
    rows = Rows(path, reading)
    table = _table.read(rows, names, columns)
    jobs = Kept(rows, table)
    jobs.leave_out((table[tokens_in] == 0) | (table[tokens_out] == 0), "no input or output tokens")
    jobs.columns |= {"input_tokens": table[tokens_in], "output_tokens": table[tokens_out]}
    if "NumImages" in table:
        jobs.columns["images"] = table["NumImages"]
    return jobs.block(since_first(table[when], jobs.which) if layout is _ORIGINAL else table[when])
