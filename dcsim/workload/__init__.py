"""Job streams: when jobs arrive, how big they are, how long they run; and readers of public traces."""

from dcsim.workload import traces
from dcsim.workload.block import BLOCK_ROWS, Block
from dcsim.workload.streams import blocks, most_tokens

__all__ = ["BLOCK_ROWS", "Block", "blocks", "most_tokens", "traces"]
