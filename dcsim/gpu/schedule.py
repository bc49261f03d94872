"""What an engine computes in its next iteration: vLLM's (v1) scheduling, without time.

Every iteration serves the running sequences in the order of their admission: a token for one that decodes, as many as
the token budget has left for a prompt (chunked prefill). If there is budget left, waiting requests are admitted in
order of arrival while there are blocks for their whole prompt. A sequence that finds no block for its next token
preempts the youngest, which is computed again later, except for those of its blocks that nobody has used meanwhile;
nobody is admitted in that iteration. So who runs has always arrived before who waits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from math import isnan

from dcsim.gpu.blocks import FreeBlocks
from dcsim.gpu.decoding import Decoding, Request
from dcsim.gpu.steps import StepCost


@dataclass(frozen=True, slots=True)
class Limits:
    """What one engine may do. The defaults are vLLM's."""

    blocks: int
    """of the key-value cache"""
    block_tokens: int = 16
    max_sequences: int = 256
    """that run at the same time"""
    max_batched_tokens: int = 2048
    """that one iteration computes, at least max_sequences"""
    prefix_caching: bool = True
    """whether a preempted sequence finds its old blocks as long as nobody has used them"""


class Schedule:
    """Who runs, who waits, and what is planned."""

    __slots__ = (
        "_ample",
        "_blocks",
        "_chunks",
        "_decoding",
        "_ghosts",
        "_hindered",
        "_need",
        "_partial",
        "_prompt_tokens",
        "_room",
        "_waiting",
        "cost",
        "limits",
        "now_s",
        "preemptions",
        "recomputed",
        "requests",
        "tokens",
    )

    def __init__(self, cost: StepCost, limits: Limits) -> None:
        self.cost, self.limits = cost, limits
        self.now_s = 0.0
        """start of the iterations under way, as it would be at the present speed"""
        self.requests: dict[int, Request] = {}
        """by job, in order of arrival"""
        self.tokens = 0
        """prompt and output tokens of all of them"""
        self.preemptions = 0
        self.recomputed = 0
        """tokens that were computed again after a preemption"""
        self._room = limits.blocks * limits.block_tokens
        self._empty()

    def _empty(self) -> None:
        """Nobody is here."""
        self._blocks = FreeBlocks(self.limits.blocks)
        self._decoding = Decoding(self.cost, self.limits.block_tokens)
        self._waiting: deque[Request] = deque()
        self._chunks: list[tuple[Request, int]] = []  # prompt work of the iteration: who, how many tokens
        self._prompt_tokens = 0  # of all of them
        self._partial: Request | None = None  # the last of them, if more of its prompt will be left
        self._ghosts: list[Request] = []  # evicted ones that are in the iteration under way
        self._hindered = False  # by a full cache: nobody is admitted
        self._ample = True  # the cache has room for all requests to their ends: nobody counts its free blocks
        self._need = 0  # blocks that the next iteration takes, or the first of those under way, for who decodes

    # ------------------------------------------------------------ arrivals

    def _arrive(self, request: Request) -> None:
        self.requests[request.job] = request
        self.tokens += request.prompt + request.output
        self._waiting.append(request)
        if self._ample and self.tokens + self.limits.block_tokens * len(self.requests) > self._room:
            self._count()

    def _admit(self) -> None:
        """Admit waiting requests to the iteration that starts now."""
        if self._hindered or self._partial is not None:
            return
        waiting, blocks, chunks, limits = self._waiting, self._blocks, self._chunks, self.limits
        size, batch, ample = limits.block_tokens, self._decoding.batch, self._ample
        left = limits.max_batched_tokens - batch - self._prompt_tokens
        places = limits.max_sequences - batch - len(chunks)
        while waiting and left > 0 and places > 0:
            request = waiting[0]
            total = request.prompt + request.made
            if not ample and -(-total // size) > blocks.free:
                break
            waiting.popleft()
            hit, held = request.known, 0
            if hit >= total:
                hit = total - 1
            if request.run is not None:
                held = blocks.reclaim(request.run, (total - 1) // size)
                hit, request.run = max(hit, held * size), None
            if request.computed > hit:
                self.recomputed += request.computed - hit
            request.known, request.computed = request.shared, hit
            tokens = total - hit
            if tokens > left:
                tokens, self._partial = left, request
            if not ample:
                blocks.take(-(-(hit + tokens) // size) - held)
            left -= tokens
            places -= 1
            if isnan(request.start_s):
                request.start_s = self.now_s
            chunks.append((request, tokens))
            self._prompt_tokens += tokens

    def _fits(self, request: Request) -> bool:
        """Whether there is a place, and blocks for all tokens that the request has."""
        if self._decoding.batch >= self.limits.max_sequences:
            return False
        return self._ample or -(-(request.prompt + request.made) // self.limits.block_tokens) <= self._blocks.free

    # ------------------------------------------------------------ the next iteration

    def _schedule(self) -> None:
        """Find out what the iteration that starts now does."""
        if self._chunks:
            self._chunks, self._prompt_tokens = [], 0
        self._hindered = False
        if not self._ample:
            self._extend()
        if self._partial is not None:
            self._go_on(self._partial)
        if self._waiting:
            self._admit()

    def _go_on(self, request: Request) -> None:
        """The next chunk of a prompt that is computed in part; it is the youngest, so it makes way for others."""
        size, done, total = self.limits.block_tokens, request.computed, request.prompt + request.made
        tokens = min(total - done, self.limits.max_batched_tokens - self._decoding.batch)
        more = -(-(done + tokens) // size) + -done // size
        if not self._ample:
            if more > self._blocks.free:
                self._hindered = True
                self._put_back(request, done)
                return
            self._blocks.take(more)
        self._chunks.append((request, tokens))
        self._prompt_tokens += tokens
        if done + tokens == total:
            self._partial = None

    def _living_tokens(self) -> int:
        """Tokens that an iteration of those under way computes for requests that have not been evicted."""
        tokens = self._decoding.batch + self._prompt_tokens
        for ghost in self._ghosts:
            tokens -= 1 if ghost.decodes else sum(own for request, own in self._chunks if request is ghost)
        return tokens

    # ------------------------------------------------------------ a cache that may not do

    def _count(self) -> None:
        """From now on the free blocks are counted."""
        self._ample = False
        here, size, ahead = self._decoding.count, self.limits.block_tokens, dict(self._chunks)
        running = islice(self.requests.values(), len(self.requests) - len(self._waiting))
        tokens = (each.base + here if each.decodes else each.computed + ahead.get(each, 0) for each in running)
        self._need = self._decoding.need()
        self._blocks.free = self._blocks.total - self._need - sum(-(-held // size) for held in tokens)

    def _extend(self) -> None:
        """Find blocks for the next token of all who decode, at the expense of the youngest."""
        blocks = self._blocks
        self._need = self._decoding.need()
        if self._need > blocks.free:
            self._preempt()
        elif not blocks.wanted and self.tokens + self.limits.block_tokens * len(self.requests) < 0.5 * self._room:
            self._ample = True
            return
        blocks.take(self._need)

    def _preempt(self) -> None:
        """Put the youngest sequences back until the others find blocks."""
        self._hindered = True
        running = list(islice(self.requests.values(), len(self.requests) - len(self._waiting)))
        while self._need > self._blocks.free:
            request = running.pop()
            if request.decodes:
                self._put_back(request, self._decoding.leave(request))
            else:
                self._put_back(request, request.computed)
            self._need = self._decoding.need()

    def _put_back(self, request: Request, tokens: int) -> None:
        """Preempt a sequence that has `tokens` in the cache."""
        held = -(-tokens // self.limits.block_tokens)
        if self.limits.prefix_caching:
            request.run = self._blocks.leave(held)
        else:
            self._blocks.give(held)
        if request is self._partial:
            self._partial = None
        else:
            request.last_s = self.now_s
        request.computed = tokens
        self.preemptions += 1
        self._waiting.appendleft(request)

    # ------------------------------------------------------------ ends

    def _drop_ghosts(self) -> None:
        """Free what evicted sequences hold."""
        for request in self._ghosts:
            if request is self._partial:
                self._partial = None
            self._let_go(request, self._decoding.leave(request) if request.decodes else request.computed)
        self._ghosts.clear()

    def _let_go(self, request: Request, tokens: int) -> None:
        """Free the blocks of a sequence with `tokens` in the cache that will not come back."""
        if not self._ample:
            self._blocks.give(-(-tokens // self.limits.block_tokens))
        request.computed = 0
