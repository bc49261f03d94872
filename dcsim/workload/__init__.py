"""Job streams: when jobs arrive, how big they are, how long they run; and readers of public traces."""

from dcsim.workload import traces
from dcsim.workload.block import BLOCK_ROWS, Block
from dcsim.workload.draws import column_draws, most_tokens
from dcsim.workload.streams import blocks

__all__ = ["BLOCK_ROWS", "Block", "blocks", "column_draws", "most_tokens", "traces"]
