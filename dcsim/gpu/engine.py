"""A language-model engine with continuous batching, advanced in virtual time: exact to the iteration.

What it does is vLLM's (v1) scheduling. Every iteration serves the running sequences in the order of their admission:
a token for one that decodes, as many as the token budget has left for a prompt (chunked prefill). If there is budget
left, waiting requests are admitted in order of arrival while there are blocks for their whole prompt. A sequence that
finds no block for its next token preempts the youngest, which is computed again later, except for those of its blocks
that nobody has used meanwhile; nobody is admitted in that iteration.

An iteration with prompt work is computed on its own. Between those, iterations only decode: with B sequences that have
K tokens in the cache, iteration i takes d(B) + a (K + i B), so that v of them take d v + a (K v + B v (v + 1) / 2), and
the number of iterations up to a moment is a square root. Every sequence that decodes gains one token per iteration: one
counter and a heap of where each ends stand for all of them, and blocks are counted by where a sequence stands in its
block. So a request costs a few events of O(log n), however long it is. The error against the loop over tokens is
rounding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf, sqrt

from dcsim.gpu.blocks import FreeBlocks, Run
from dcsim.gpu.steps import StepCost, Work
from dcsim.results.histogram import Histogram

_NOWHERE = -1
_MANY = 64  # entries about gone sequences that are not worth clearing away


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


class Request:
    """One request in an engine. Who admits it may read everything and write nothing."""

    __slots__ = (
        "_joined_j",
        "_joined_s",
        "base",
        "busy_s",
        "computed",
        "end",
        "energy_j",
        "gone",
        "job",
        "known",
        "last_s",
        "made",
        "output",
        "prompt",
        "run",
        "shared",
        "started",
        "turn",
    )

    def __init__(self, job: int, prompt: int, output: int, shared: int, made: int, last_s: float) -> None:
        self.job, self.prompt, self.output = job, prompt, output
        self.made = made
        """output tokens so far"""
        self.shared = shared
        """first tokens that need no computing but take up blocks, whenever it is admitted"""
        self.known = prompt if made else shared
        """first tokens that need no computing when it is admitted next"""
        self.last_s = last_s
        """when it got its last token"""
        self.computed = 0
        """tokens in the cache; for a decoding sequence as of its last join"""
        self.base = 0
        """tokens in the cache less the engine's count of iterations, while it decodes"""
        self.end = _NOWHERE
        """count of iterations at which it has all its tokens, while it decodes"""
        self.turn = 0
        """how often it has left the engine's running sequences"""
        self.started = False
        self.gone = False
        """evicted; it leaves at the end of the iteration"""
        self.run: Run | None = None
        """blocks that it left when it was preempted"""
        self.busy_s = self.energy_j = self._joined_s = self._joined_j = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and output tokens so far: what must be in the cache, but the last, for the next token."""
        return self.prompt + self.made


class Engine:
    """Iterations of one replica. Time is the engine's own, s; nothing happens before `next_s`."""

    __slots__ = (
        "_attention_s",
        "_blocks",
        "_cache_s",
        "_charged_j",
        "_charged_s",
        "_chunks",
        "_context",
        "_context_s",
        "_count",
        "_each",
        "_ends",
        "_ghosts",
        "_hindered",
        "_joining",
        "_linear",
        "_need",
        "_numbers",
        "_order",
        "_partial",
        "_planned",
        "_prompt_tokens",
        "_residues",
        "_size",
        "_waiting",
        "begun",
        "cost",
        "decoding",
        "ended",
        "first",
        "gaps",
        "iterations",
        "limits",
        "next_s",
        "now_s",
        "preemptions",
        "recomputed",
        "requests",
        "speed",
        "tokens",
        "work",
    )

    def __init__(self, cost: StepCost, limits: Limits, gaps: Histogram) -> None:
        """`gaps` counts the times between the tokens of a request, each token once."""
        self.cost, self.limits, self.gaps = cost, limits, gaps
        self.speed = 1.0
        self.now_s = 0.0
        """start of the iterations under way, as it would be at the present speed"""
        self.next_s = inf
        """their end: when to call `advance`"""
        self.work = Work(0.0, 0.0, 0.0)
        """what was planned at `now_s`, at full speed; a stretch may end before"""
        self.requests: dict[int, Request] = {}
        """by job"""
        self.tokens = 0
        """prompt and output tokens of all of them"""
        self.decoding = 0
        """sequences that decode"""
        self.iterations = 0
        self.preemptions = 0
        self.recomputed = 0
        """tokens that were computed again after a preemption"""
        self.begun: list[Request] = []
        """requests that have been admitted to an iteration for the first time; for the caller to clear"""
        self.first: list[Request] = []
        """requests that have got their first token; for the caller to clear"""
        self.ended: list[Request] = []
        """requests that have all their tokens and have left; for the caller to clear"""
        self._context_s, self._cache_s, self._attention_s = cost.context_s, cost.cache_s, cost.attention_s
        self._size = limits.block_tokens
        self._linear: dict[int, Work] = {}
        self._reset()

    def _reset(self) -> None:
        self._blocks = FreeBlocks(self.limits.blocks)
        self._waiting: deque[Request] = deque()
        self._partial: Request | None = None  # the one whose prompt is computed in part
        self._order: list[tuple[Request, int]] = []  # who runs and its turn, the youngest last; and who has left
        self._ends: list[tuple[int, int, Request]] = []
        self._ghosts: list[Request] = []
        self._numbers: Iterator[int] = count()
        self._residues = [0] * self._size  # decoding sequences by base modulo the block
        self._count = 0  # iterations, as decoding sequences count them
        self._context = 0  # tokens in the cache of decoding sequences
        self.decoding = 0
        self._charged_s = self._charged_j = 0.0  # to a sequence that has decoded from the start
        self._hindered = False  # by a full cache: nobody is admitted
        self._planned = 0  # iterations
        self._need = 0  # blocks that the first of them has taken for decoding sequences
        self.next_s = inf
        self._clear()

    def _clear(self) -> None:
        """No prompt work is planned."""
        self._chunks: list[tuple[Request, int]] = []  # prompt work of the iteration: who, how many tokens
        self._prompt_tokens = 0
        self._joining: list[Request] = []  # whose prompt will be complete

    # ------------------------------------------------------------ what the caller does

    def admit(
        self, time_s: float, job: int, prompt: int, output: int, *, shared: int = 0, made: int = 0, last_s: float = 0.0
    ) -> None:
        """A request arrives at `time_s`, not before `now_s` nor after `next_s`.

        shared: first tokens of the prompt that need no computing but take up blocks. made, last_s: output tokens that
        another engine has made, the last at last_s; the cache of the prompt comes with the request.
        """
        request = Request(job, prompt, output, shared, made, last_s)
        self.requests[job] = request
        self.tokens += prompt + output
        self._waiting.append(request)
        if self.next_s == inf:
            self.now_s = time_s
            self._plan()
        elif len(self._waiting) == 1:
            if time_s == self.now_s:
                self._admit()
                self._launch()
            elif self._planned > 1 and self._fits(request):
                self._cut(time_s)

    def advance(self) -> None:
        """The iterations under way are over; plan the next ones."""
        self.now_s = now = self.next_s
        if self._chunks:
            self.gaps.add(self.work.seconds / self.speed, self.decoding)
            self.iterations += 1
            self._context += self.decoding
            self._count += 1
            for request, tokens in self._chunks:
                request.computed += tokens
            for request in self._joining:
                self._join(request, now)
        else:
            self._decoded(self._planned)
        ends, here = self._ends, self._count
        while ends and ends[0][0] <= here:
            end, _, request = heappop(ends)
            if request.end == end:
                self._leave(request)
                request.made = request.output
                self._finish(request, request.base + here)
        if self._ghosts:
            self._drop_ghosts()
        self._plan()

    def book(self, busy_s: float, energy_j: float) -> None:
        """Split what the iterations under way have cost so far over their sequences, by the tokens they compute."""
        tokens = self._living_tokens() if self._ghosts else self.decoding + self._prompt_tokens
        busy_s, energy_j = busy_s / tokens, energy_j / tokens
        self._charged_s += busy_s
        self._charged_j += energy_j
        for request, own in self._chunks:
            request.busy_s += busy_s * own
            request.energy_j += energy_j * own

    def settle(self, request: Request) -> None:
        """Bring what has been booked to a decoding request up to date."""
        if request.end != _NOWHERE:
            request.busy_s += self._charged_s - request._joined_s
            request.energy_j += self._charged_j - request._joined_j
            request._joined_s, request._joined_j = self._charged_s, self._charged_j

    def evict(self, time_s: float, job: int) -> Request:
        """Take a request out at `time_s`, after `book`. The iteration under way goes on while somebody is in it."""
        request = self.requests.pop(job)
        self.tokens -= request.prompt + request.output
        self.settle(request)
        request.gone = True
        if not self.requests:
            self._reset()
            return request
        if request in self._waiting:
            self._waiting.remove(request)
        else:
            self._ghosts.append(request)
        if self._planned > 1:
            self._cut(time_s)
        if not self._living_tokens():
            self.next_s = time_s
        return request

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed from `time_s` on; what is done of the iteration under way stays done."""
        if self.next_s < inf:
            stretch = self.speed / factor
            self.now_s = time_s - (time_s - self.now_s) * stretch
            self.next_s = time_s + (self.next_s - time_s) * stretch
        self.speed = factor

    def progress(self, time_s: float, request: Request) -> float:
        """Share of the tokens of a request that have been computed by `time_s`, 0 to 1."""
        done = request.computed
        if request.end != _NOWHERE:
            done = request.base + self._count
            if self._planned and not self._chunks:
                span_s = (time_s - self.now_s) * self.speed
                over = min(self._planned, self._iterations(span_s))
                done += over if self._span(over) <= span_s else over - 1
        return min(done / (request.prompt + request.output), 1.0)

    def _living_tokens(self) -> int:
        """Tokens that an iteration of those under way computes for requests that have not been evicted."""
        tokens = self.decoding + self._prompt_tokens
        for ghost in self._ghosts:
            tokens -= 1 if ghost.end != _NOWHERE else sum(own for request, own in self._chunks if request is ghost)
        return tokens

    # ------------------------------------------------------------ planning

    def _plan(self) -> None:
        """What the iteration that starts now does; if it only decodes, the following ones up to the next change."""
        if self._chunks:
            self._clear()
        self._hindered = False
        blocks = self._blocks
        need = self._residues[-self._count % self._size]
        if need > blocks.free:
            self._hindered = True
            need = self._preempt()
        if need:
            blocks.take(need)
        self._need = need
        if self._partial is not None:
            self._go_on(self._partial)
        if self._waiting:
            self._admit()
        self._launch()

    def _go_on(self, request: Request) -> None:
        """The next chunk of a prompt that is computed in part; it is the youngest, so it makes way for others."""
        size, done = self._size, request.computed
        tokens = min(request.tokens - done, self.limits.max_batched_tokens - self.decoding)
        more = -(-(done + tokens) // size) + -done // size
        if more > self._blocks.free:
            self._hindered = True
            self._put_back(request, done)
        else:
            self._blocks.take(more)
            self._compute(request, tokens)

    def _admit(self) -> None:
        """Admit waiting requests to the iteration that starts now."""
        if self._hindered or self._partial is not None:
            return
        waiting, blocks, size = self._waiting, self._blocks, self._size
        left = self.limits.max_batched_tokens - self.decoding - self._prompt_tokens
        places = self.limits.max_sequences - self.decoding - len(self._joining)
        while waiting and left > 0 and places > 0:
            request = waiting[0]
            total = request.prompt + request.made
            if -(-total // size) > blocks.free:
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
            tokens = min(tokens, left)
            blocks.take(-(-(hit + tokens) // size) - held)
            left -= tokens
            places -= 1
            if not request.started:
                request.started = True
                self.begun.append(request)
            self._order.append((request, request.turn))
            self._compute(request, tokens)
        if len(self._order) > _MANY + 2 * self.limits.max_sequences:
            self._order = [(request, turn) for request, turn in self._order if request.turn == turn]

    def _fits(self, request: Request) -> bool:
        """Whether there is a place, and blocks for all tokens that the request has."""
        return self.decoding < self.limits.max_sequences and -(-request.tokens // self._size) <= self._blocks.free

    def _compute(self, request: Request, tokens: int) -> None:
        """Let this iteration compute the next tokens of a prompt."""
        self._chunks.append((request, tokens))
        self._prompt_tokens += tokens
        if request.computed + tokens == request.tokens:
            self._joining.append(request)
            self._partial = None
        else:
            self._partial = request

    def _launch(self) -> None:
        """Find out how long the iterations take that have been planned."""
        chunks, batch = self._chunks, self.decoding
        if chunks:
            sampled = batch + len(self._joining)
            sequences = sampled + (self._partial is not None)
            work = self.cost.linear(batch + self._prompt_tokens, sequences, sampled)
            pairs = self._context + batch
            seconds = work.seconds + self._context_s * pairs
            compute_s = work.compute_s + self._attention_s * pairs
            memory_s = work.memory_s + self._cache_s * pairs
            for request, tokens in chunks:  # `StepCost.chunk`, written out because every prompt passes here
                done = request.computed
                arithmetic_s = self._attention_s * tokens * (done + 0.5 * (tokens + 1))
                reading_s = self._cache_s * (done + tokens)
                seconds += arithmetic_s if arithmetic_s > reading_s else reading_s
                compute_s += arithmetic_s
                memory_s += reading_s
            self.work = Work(seconds, compute_s, memory_s)
            self._planned = 1
            self.next_s = self.now_s + self.work.seconds / self.speed
        elif batch:
            each = self._linear.get(batch)
            if each is None:
                each = self._linear[batch] = self.cost.linear(batch, batch, batch)
            self._each = each
            self._stretch(self._undisturbed(self._next_end() - self._count))
        else:
            self._planned = 0
            self.next_s = inf

    def _stretch(self, iterations: int) -> None:
        """The next iterations do nothing but decode."""
        pairs = iterations * (self._context + 0.5 * self.decoding * (iterations + 1))
        each = self._each
        self.work = Work(
            iterations * each.seconds + self._context_s * pairs,
            iterations * each.compute_s + self._attention_s * pairs,
            iterations * each.memory_s + self._cache_s * pairs,
        )
        self._planned = iterations
        self.next_s = self.now_s + self.work.seconds / self.speed

    def _next_end(self) -> int:
        ends = self._ends
        while ends[0][2].end != ends[0][0]:
            heappop(ends)
        return ends[0][0]

    def _undisturbed(self, most: int) -> int:
        """Iterations, up to `most`, for which the free blocks last; the first has its blocks already."""
        batch, size, free = self.decoding, self._size, self._blocks.free
        done = 1 + free // batch * size  # every sequence takes one block in so many iterations
        if done >= most:
            return most
        free %= batch
        while done < most:
            free -= self._residues[-(self._count + done) % size]
            if free < 0:
                break
            done += 1
        return done

    # ------------------------------------------------------------ stretches of decoding

    def _span(self, iterations: int) -> float:
        return iterations * self._each.seconds + self._context_s * (
            iterations * (self._context + 0.5 * self.decoding * (iterations + 1))
        )

    def _iterations(self, span_s: float) -> int:
        """The smallest number of iterations, at least 1, that take `span_s` or more."""
        if self._chunks:
            return 1
        half = 0.5 * self._context_s * self.decoding
        linear = self._each.seconds + self._context_s * self._context + half
        number = max(int(2.0 * span_s / (linear + sqrt(linear * linear + 4.0 * half * span_s))), 1)
        while self._span(number) < span_s:
            number += 1
        while number > 1 and self._span(number - 1) >= span_s:
            number -= 1
        return number

    def _cut(self, time_s: float) -> None:
        """End the stretch with the iteration that runs at `time_s`; `work` stays that of the whole."""
        self._planned = min(self._iterations((time_s - self.now_s) * self.speed), self._planned)
        self.next_s = self.now_s + self._span(self._planned) / self.speed

    def _decoded(self, iterations: int) -> None:
        """A stretch is over."""
        batch, size = self.decoding, self._size
        turns, rest = divmod(iterations, size)
        blocks = turns * batch - self._need
        residues, place = self._residues, -self._count % size
        for _ in range(rest):
            blocks += residues[place]
            place -= 1  # from 0 to the last
        if blocks:
            self._blocks.take(blocks)
        grown_s = self._context_s * batch / self.speed
        first_s = (self._each.seconds + self._context_s * self._context) / self.speed + grown_s
        self.gaps.add_ramp(first_s, grown_s, iterations, batch)
        self.iterations += iterations
        self._context += batch * iterations
        self._count += iterations

    # ------------------------------------------------------------ sequences come and go

    def _join(self, request: Request, now: float) -> None:
        """A prompt is complete: its next token has been made, and it decodes from now on."""
        request.made += 1
        if request.gone:
            return
        if request.made == 1:
            self.first.append(request)
        else:
            self.gaps.add(now - request.last_s, 1.0)
        if request.made >= request.output:
            self._finish(request, request.computed)
            return
        request.base = request.computed - self._count
        request.end = self._count + request.output - request.made
        request._joined_s, request._joined_j = self._charged_s, self._charged_j
        self._residues[request.base % self._size] += 1
        self.decoding += 1
        self._context += request.computed
        heappush(self._ends, (request.end, next(self._numbers), request))

    def _leave(self, request: Request) -> int:
        """A sequence decodes no more; how many tokens it has in the cache."""
        self.settle(request)
        request.end = _NOWHERE
        tokens = request.base + self._count
        self._residues[request.base % self._size] -= 1
        self.decoding -= 1
        self._context -= tokens
        return tokens

    def _finish(self, request: Request, tokens: int) -> None:
        self._let_go(request, tokens)
        if not request.gone:
            self.ended.append(request)
            del self.requests[request.job]
            self.tokens -= request.prompt + request.output

    def _preempt(self) -> int:
        """Put the youngest sequences back until the others find blocks; how many those need."""
        size = self._size
        while (need := self._residues[-self._count % size]) > self._blocks.free:
            request, turn = self._order.pop()
            if request.turn != turn:
                continue
            if request is self._partial:
                self._put_back(request, request.computed)
            else:
                request.made = request.output - (request.end - self._count)
                request.last_s = self.now_s
                self._put_back(request, self._leave(request))
        return need

    def _put_back(self, request: Request, tokens: int) -> None:
        """Preempt a sequence that has `tokens` in the cache."""
        if request is self._partial:
            self._partial = None
        request.turn += 1
        size = self._size
        held = -(-tokens // size)
        if self.limits.prefix_caching:
            request.run = self._blocks.leave(held)
        else:
            self._blocks.give(held)
        request.computed = tokens
        self.preemptions += 1
        self._waiting.appendleft(request)

    def _drop_ghosts(self) -> None:
        """Free what evicted sequences hold."""
        for request in self._ghosts:
            if request is self._partial:
                self._partial = None
            self._let_go(request, request.computed if request.end == _NOWHERE else self._leave(request))
        self._ghosts.clear()

    def _let_go(self, request: Request, tokens: int) -> None:
        """Free the blocks of a sequence with `tokens` in the cache that will not come back."""
        self._blocks.give(-(-tokens // self._size))
        request.computed = 0
        request.turn += 1
