"""The free blocks of a key-value cache, in the order in which they came free.

vLLM (v1, prefix caching on) hands out the block that has been free for longest and leaves a freed block as it is until
then. So what a preempted sequence has computed is lost block by block, its last block first, and what is left when it
runs again need not be computed again. Blocks are counted in runs: O(1) per call, amortised.
"""

from __future__ import annotations

from collections import deque


class Run:
    """Blocks that came free together: how many of them have not been used again."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class FreeBlocks:
    """How many blocks are free, and which of them still hold something."""

    __slots__ = ("_runs", "free", "total")

    def __init__(self, total: int) -> None:
        self.total = self.free = total
        self._runs: deque[tuple[Run, bool]] = deque([(Run(total), False)])

    def take(self, count: int) -> None:
        """Use `count` free blocks, the ones that have been free for longest."""
        self.free -= count
        runs = self._runs
        while count:
            run = runs[0][0]
            if run.count > count:
                run.count -= count
                return
            count -= run.count
            run.count = 0
            runs.popleft()

    def give(self, count: int) -> None:
        """Free `count` blocks whose content nobody asks for again."""
        self.free += count
        runs = self._runs
        if runs and not runs[-1][1]:
            runs[-1][0].count += count
        else:
            runs.append((Run(count), False))

    def leave(self, count: int) -> Run:
        """Free `count` blocks that may be asked for again; the last of them is used first."""
        self.free += count
        run = Run(count)
        self._runs.append((run, True))
        return run

    def reclaim(self, run: Run, most: int) -> int:
        """Take back what is left of the first `most` blocks of `run`; how many those are."""
        found = min(run.count, most)
        run.count -= found
        self.free -= found
        return found
