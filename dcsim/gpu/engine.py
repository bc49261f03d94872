"""A language-model engine with continuous batching, advanced in virtual time: exact to the iteration.

Its scheduling is vLLM's (`dcsim.gpu.schedule`). An iteration with prompt work is computed on its own. Between those,
iterations only decode, any number of them at once (`dcsim.gpu.decoding`). So a request costs a few events of O(log n),
however long it is. The error against the loop over tokens is rounding.
"""

from __future__ import annotations

from math import inf, nan

from dcsim.gpu.decoding import Request
from dcsim.gpu.schedule import Limits, Schedule
from dcsim.gpu.steps import StepCost
from dcsim.results.histogram import Histogram


class Engine(Schedule):
    """Iterations of one replica. Time is the engine's own, s; nothing happens before `next_s`."""

    __slots__ = ("_planned", "_seconds", "arithmetic", "ended", "gaps", "iterations", "next_s", "reading", "speed")

    def __init__(self, cost: StepCost, limits: Limits, gaps: Histogram) -> None:
        """`gaps` counts the times between the tokens of a request, each token once."""
        super().__init__(cost, limits)
        self.gaps = gaps
        self.speed = 1.0
        self.next_s = inf
        """end of the iterations under way: when to call `advance`"""
        self.arithmetic = self.reading = 0.0
        """shares of the time, at full speed, that arithmetic and reading alone would take in what was planned at
        `now_s`; it may end before"""
        self.iterations = 0
        self.ended: list[Request] = []
        """requests that have all their tokens and have left; for the caller to clear"""
        self._planned = 0  # iterations
        self._seconds = 0.0  # that they take at full speed, before a cut

    # ------------------------------------------------------------ what the caller does

    def admit(self, time_s: float, job: int, prompt: int, output: int, shared: int = 0, first_s: float = nan) -> bool:
        """A request arrives at `time_s`, not before `now_s` nor after `next_s`. Whether iterations were planned anew.

        shared: first tokens of the prompt that need no computing but take up blocks. first_s: when another engine made
        the first output token; then the cache of the prompt comes with the request.
        """
        request = Request(job, prompt, output, shared, first_s)
        self._arrive(request)
        if self.next_s == inf:
            self.now_s = time_s
            self._schedule()
            self._launch()
            return True
        if len(self._waiting) == 1:
            if time_s == self.now_s:
                self._admit()
                self._launch()
                return True
            if self._planned > 1 and self._fits(request):
                self._cut(time_s)
        return False

    def advance(self, busy_s: float = 0.0, energy_j: float = 0.0) -> None:
        """The iterations under way are over, `busy_s` and `energy_j` after the last `book`; plan the next ones."""
        decoding, planned, chunks = self._decoding, self._planned, self._chunks
        self.now_s = self.next_s
        if chunks or self._ghosts:
            if busy_s:
                self.book(busy_s, energy_j)
        else:  # `book`, written out
            batch = decoding.batch
            decoding.charged_s += busy_s / batch
            decoding.charged_j += energy_j / batch
        if chunks:
            self._computed()
        else:
            growth_s, linear_s = decoding.rates
            batch, speed = decoding.batch, self.speed
            self.gaps.add_ramp((linear_s + growth_s) / speed, 2.0 * growth_s / speed, planned, batch)
            if not self._ample:
                self._blocks.take(decoding.blocks(planned) - self._need)
            decoding.context += batch * planned
            decoding.count += planned
        self.iterations += planned
        ends = decoding.ends
        if ends and ends[0][0] <= decoding.count:
            for request, tokens in decoding.done():
                self._finish(request, tokens)
        if self._ghosts:
            self._drop_ghosts()
        if chunks or self._waiting or not self._ample or self._hindered:
            self._schedule()
        self._launch()

    def book(self, busy_s: float, energy_j: float) -> None:
        """Split what the iterations under way have cost so far over their sequences, by the tokens they compute."""
        decoding = self._decoding
        tokens = self._living_tokens() if self._ghosts else decoding.batch + self._prompt_tokens
        busy_s, energy_j = busy_s / tokens, energy_j / tokens
        decoding.charged_s += busy_s
        decoding.charged_j += energy_j
        for request, own in self._chunks:
            request.busy_s += busy_s * own
            request.energy_j += energy_j * own

    def used(self, request: Request) -> tuple[float, float]:
        """(busy_s, energy_j) that a request has been charged."""
        if request.decodes:
            return request.busy_s + self._decoding.charged_s, request.energy_j + self._decoding.charged_j
        return request.busy_s, request.energy_j

    def evict(self, time_s: float, job: int) -> Request:
        """Take a request out at `time_s`, after `book`. The iteration under way goes on while somebody is in it."""
        if self._ample:  # it holds its blocks to the end of the iteration
            self._count()
        request = self.requests.pop(job)
        self.tokens -= request.prompt + request.output
        request.gone = True
        if not self.requests:
            if request.decodes:
                self._decoding.leave(request)
            self._empty()
            self._planned, self.next_s = 0, inf
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
        if request.decodes:
            decoding = self._decoding
            done = request.base + decoding.count
            if self._planned and not self._chunks:
                span_s = (time_s - self.now_s) * self.speed
                over = min(self._planned, decoding.iterations(span_s))
                done += over if decoding.span(over) <= span_s else over - 1
        return min(done / (request.prompt + request.output), 1.0)

    # ------------------------------------------------------------ time

    def _launch(self) -> None:
        """Find out how long what has been scheduled takes; if it only decodes, up to the next change."""
        decoding = self._decoding
        if self._chunks:
            self._planned = 1
            seconds, compute_s, memory_s = self._mixed()
        elif decoding.batch:
            self._planned = decoding.ahead() if self._ample else decoding.undisturbed(self._blocks.free)
            seconds, compute_s, memory_s = decoding.stretch(self._planned)
        else:
            self._planned = 0
            self.next_s = inf
            return
        self.arithmetic, self.reading = compute_s / seconds, memory_s / seconds
        self._seconds = seconds
        self.next_s = self.now_s + seconds / self.speed

    def _mixed(self) -> tuple[float, float, float]:
        """(seconds, those of its arithmetic, those of its reading) of an iteration with prompt work."""
        cost, decoding, chunks = self.cost, self._decoding, self._chunks
        batch, attention_s, cache_s = decoding.batch, cost.attention_s, cost.cache_s
        sequences = batch + len(chunks)
        sampled = sequences if self._partial is None else sequences - 1
        seconds, compute_s, memory_s = cost.base(batch + self._prompt_tokens, sequences, sampled)
        pairs = decoding.context + batch
        arithmetic_s, reading_s = attention_s * pairs, cache_s * pairs
        seconds += arithmetic_s if arithmetic_s > reading_s else reading_s
        compute_s += arithmetic_s
        memory_s += reading_s
        for request, tokens in chunks:  # `StepCost.chunk`, written out because every prompt passes here
            done = request.computed
            arithmetic_s = attention_s * tokens * (done + 0.5 * (tokens + 1))
            reading_s = cache_s * (done + tokens)
            seconds += arithmetic_s if arithmetic_s > reading_s else reading_s
            compute_s += arithmetic_s
            memory_s += reading_s
        return seconds, compute_s, memory_s

    def _cut(self, time_s: float) -> None:
        """End the stretch with the iteration that runs at `time_s`; `arithmetic` and `reading` stay as they are."""
        planned = self._decoding.iterations((time_s - self.now_s) * self.speed)
        if planned < self._planned:
            self._planned = planned
            self.next_s = self.now_s + self._decoding.span(planned) / self.speed

    # ------------------------------------------------------------ tokens

    def _computed(self) -> None:
        """An iteration with prompt work is over: whose prompt is complete has its next token and decodes."""
        decoding, now = self._decoding, self.now_s
        batch = decoding.batch
        if batch:
            self.gaps.add(self._seconds / self.speed, batch)
            decoding.context += batch
        decoding.count += 1
        for request, tokens in self._chunks:
            request.computed += tokens
            if request is self._partial:
                continue
            request.made += 1
            if request.gone:
                continue
            if request.made == 1:
                request.first_s = now
            else:
                self.gaps.add(now - request.last_s, 1.0)
            if request.made < request.output:
                decoding.join(request, request.computed)
            else:
                self._finish(request, request.computed)

    def _finish(self, request: Request, tokens: int) -> None:
        if self._ample:
            request.computed = 0
        else:
            self._let_go(request, tokens)
        if not request.gone:
            self.ended.append(request)
            del self.requests[request.job]
            self.tokens -= request.prompt + request.output
