"""Qwen-Bailian usage traces (alibaba-edu/qwen-bailian-usagetraces-anon, ATC 2025), JSON lines, one request each.

`timestamp` [s from the start], `input_length`, `output_length` [tokens], `hash_ids` (blocks of 16 tokens), `type`
(text, search, image, file), `turn` (from 1), `chat_id` and `parent_chat_id` (-1: the first of a conversation). A
request becomes a job with input_tokens, output_tokens, prefix_tokens (as the reader of Mooncake traces gives it), turn,
kind (type) and session: the chat_id of the first request of its conversation, found along the parents; where the file
does not have that request, the oldest number that is named. Times are taken as they are written. A request without
input or output tokens failed: it is left out and counted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.errors import TraceError
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _blocks
from dcsim.workload.traces._columns import MAX_ID, Number
from dcsim.workload.traces._reading import Reading, Rows

BLOCK_TOKENS = 16

_COLUMNS = (
    Number("timestamp"),
    *_blocks.TOKENS,
    Number("chat_id", whole=True, most=MAX_ID),
    Number("parent_chat_id", least=-1.0, whole=True, most=MAX_ID),
    Number("turn", least=1.0, whole=True, most=1e6),
)


def read(path: Path, reading: Reading) -> Block:
    """Requests with the columns of Mooncake, and turn, session and kind; raises TraceError."""
    rows = Rows(path, reading)
    found = _blocks.requests(path, rows, _COLUMNS, ("type",))
    chat, parent = found.numbers["chat_id"], found.numbers["parent_chat_id"]
    more = {"turn": found.numbers["turn"], "session": _sessions(path, chat, parent)}
    return _blocks.block(found, rows, found.numbers["timestamp"], BLOCK_TOKENS, more)


def _sessions(path: Path, chat: FloatArray, parent: FloatArray) -> FloatArray:
    """Number of the first request of each request's conversation, shape (n,). Raises TraceError for a ring."""
    ids, place = np.unique(np.concatenate([chat, parent[parent >= 0]]), return_inverse=True)
    root = np.arange(len(ids))
    named = np.flatnonzero(parent >= 0)[::-1]  # of a number that is there twice, the first line counts
    root[place[: len(chat)][named]] = place[len(chat) :][::-1]
    above = root
    for _ in range(int(np.log2(len(ids))) + 2):
        root = root[root]
    if np.any(above[root] != root):
        number = ids[root[above[root] != root][0]]
        raise TraceError(f"{path}, chat_id {number:.0f}: found a ring of parent_chat_id, want a way to a first request")
    return np.asarray(ids[root[place[: len(chat)]]], dtype=np.float64)
