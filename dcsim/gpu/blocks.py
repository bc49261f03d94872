"""The free blocks of a key-value cache, in the order in which they came free.

vLLM (v1, prefix caching on) hands out the block that has been free for longest and leaves a freed block as it is until
then. So what a preempted sequence has computed is lost block by block, its last block first, and what is left when it
runs again need not be computed again. Blocks are counted in runs: O(1) per call, amortised. As long as no preempted
sequence has left anything, one free block is as good as another, and their number is all that is kept.
"""

from __future__ import annotations

from collections import deque


class Run:
    """Blocks that came free together."""

    __slots__ = ("count", "wanted")

    def __init__(self, count: int, wanted: bool) -> None:
        self.count = count
        """those that have not been used again"""
        self.wanted = wanted
        """whether somebody may ask for them"""


class FreeBlocks:
    """How many blocks are free, and which of them still hold something."""

    __slots__ = ("_runs", "free", "total", "wanted")

    def __init__(self, total: int) -> None:
        self.total = self.free = total
        self._runs: deque[Run] = deque()  # empty unless one is wanted
        self.wanted = 0
        """runs that are"""

    def take(self, count: int) -> None:
        """Use `count` free blocks, the ones that have been free for longest."""
        self.free -= count
        if self.wanted:
            self._use(count)

    def give(self, count: int) -> None:
        """Free `count` blocks whose content nobody asks for again."""
        self.free += count
        if self.wanted:
            last = self._runs[-1]
            if last.wanted:
                self._runs.append(Run(count, False))
            else:
                last.count += count

    def leave(self, count: int) -> Run:
        """Free `count` blocks that may be asked for again; the last of them is used first."""
        if not self.wanted:
            self._runs.append(Run(self.free, False))
        self.free += count
        self.wanted += 1
        run = Run(count, True)
        self._runs.append(run)
        return run

    def reclaim(self, run: Run, most: int) -> int:
        """Take back what is left of the first `most` blocks of `run`, for good; how many those are."""
        found = min(run.count, most)
        run.count -= found
        self.free -= found
        self._forget(run)
        return found

    def _use(self, count: int) -> None:
        runs = self._runs
        while runs:
            run = runs[0]
            if run.count > count:
                run.count -= count
                return
            count -= run.count
            run.count = 0
            runs.popleft()
            self._forget(run)

    def _forget(self, run: Run) -> None:
        """Nobody asks for `run`; with the last that somebody did, all free blocks are alike."""
        if run.wanted:
            run.wanted = False
            self.wanted -= 1
            if not self.wanted:
                self._runs.clear()
