"""Mooncake request traces (kvcache-ai/Mooncake, FAST 2025), JSON lines, one request each.

`timestamp` [ms], `input_length`, `output_length` [tokens] and `hash_ids`: the blocks of 512 tokens of the prompt;
equal numbers are equal prefixes. A request becomes a job with input_tokens, output_tokens and prefix_tokens, the
tokens of its longest prefix of blocks that an earlier request had: what an endless cache would spare. A line without
`hash_ids` has no prefix; a file without any has no column.

The published timestamps are the starts of batches of about 3 s. Requests that share one are spread evenly from it to
the next, in the order of the file, over the median time between batches at most; the first of each batch keeps its
time, and so do all in a file without equal times. Times count from 0 of the file. A request without input or output
tokens failed: it is left out and counted. The files name no sessions.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces import _blocks
from dcsim.workload.traces._columns import MAX_S, Number
from dcsim.workload.traces._reading import Reading, Rows

BLOCK_TOKENS = 512

_TIME = Number("timestamp", most=1e3 * MAX_S)


def read(path: Path, reading: Reading) -> Block:
    """Requests with columns input_tokens, output_tokens and prefix_tokens; raises TraceError."""
    rows = Rows(path, reading)
    found = _blocks.requests(path, rows, (_TIME, *_blocks.TOKENS))
    block = _blocks.block(found, rows, found.numbers["timestamp"] / 1e3, BLOCK_TOKENS)
    return replace(block, arrival_s=_blocks.spread(block.arrival_s))
