"""The sequences of an engine that decode together: closed forms over any number of iterations.

Each gains one token per iteration: one counter and a heap of where each ends stand for all of them, and blocks are
counted by where a sequence stands in its block. With B sequences that have K tokens in the cache, iteration i takes
d(B) + a (K + i B), so v of them take v (q + p v) for p = a B / 2 and q = d + a K + p, and the number of iterations up
to a moment is a square root.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import isnan, nan, sqrt

from dcsim.gpu.blocks import Run
from dcsim.gpu.steps import StepCost

_NOWHERE = -1


class Request:
    """One request in an engine. Who admits it may read everything and write nothing."""

    __slots__ = (
        "base",
        "busy_s",
        "computed",
        "end",
        "energy_j",
        "first_s",
        "gone",
        "job",
        "known",
        "last_s",
        "made",
        "output",
        "prompt",
        "run",
        "shared",
        "start_s",
    )

    def __init__(self, job: int, prompt: int, output: int, shared: int, first_s: float) -> None:
        self.job, self.prompt, self.output = job, prompt, output
        self.made = made = 0 if isnan(first_s) else 1
        """output tokens so far, while it does not decode"""
        self.shared = shared
        """first tokens that need no computing but take up blocks, whenever it is admitted"""
        self.known = prompt if made else shared
        """first tokens that need no computing when it is admitted next"""
        self.start_s = nan
        """when it was first in an iteration"""
        self.first_s = first_s
        """when it got its first token; nan: it has none"""
        self.last_s = first_s
        """when it got its last token, while it does not decode"""
        self.computed = 0
        """tokens in the cache, while it does not decode"""
        self.base = 0
        """tokens in the cache less the count of iterations, while it decodes"""
        self.end = _NOWHERE
        """count of iterations at which it has all its tokens, while it decodes"""
        self.gone = False
        """evicted; it leaves at the end of the iteration"""
        self.run: Run | None = None
        """blocks that it left when it was preempted"""
        self.busy_s = self.energy_j = 0.0
        """what it has been charged; while it decodes, less `Decoding.charged_s` and `charged_j`"""

    @property
    def decodes(self) -> bool:
        """Whether it makes a token in every iteration."""
        return self.end != _NOWHERE


class Decoding:
    """Who decodes, how far they are, and what the next iterations take if they do nothing else."""

    __slots__ = (
        "_attention_s",
        "_cache_s",
        "_context_s",
        "_linear",
        "_numbers",
        "_residues",
        "_size",
        "batch",
        "charged_j",
        "charged_s",
        "context",
        "cost",
        "count",
        "ends",
        "rates",
    )

    def __init__(self, cost: StepCost, block_tokens: int) -> None:
        self.cost = cost
        self.batch = 0
        """sequences"""
        self.context = 0
        """their tokens in the cache"""
        self.count = 0
        """iterations so far"""
        self.charged_s = self.charged_j = 0.0
        """what a sequence that has decoded from the start has been charged"""
        self._context_s, self._attention_s, self._cache_s = cost.context_s, cost.attention_s, cost.cache_s
        self.ends: list[tuple[int, int, Request]] = []
        """heap of (count of iterations at which it ends, number, who); some have left before"""
        self._size = block_tokens
        self._residues = [0] * block_tokens  # sequences by base modulo the block
        self._numbers = count()
        self._linear: dict[int, tuple[float, float, float, float]] = {}  # by batch; the last is p of the module
        self.rates = (0.0, 0.0)
        """p and q of the module, for the iterations that were asked for last"""

    # ------------------------------------------------------------ who decodes

    def join(self, request: Request, tokens: int) -> None:
        """A sequence with `tokens` in the cache decodes from now on."""
        here = self.count
        request.base = base = tokens - here
        request.end = end = here + request.output - request.made
        request.busy_s -= self.charged_s
        request.energy_j -= self.charged_j
        self._residues[base % self._size] += 1
        self.batch += 1
        self.context += tokens
        heappush(self.ends, (end, next(self._numbers), request))

    def leave(self, request: Request) -> int:
        """A sequence decodes no more; how many tokens it has in the cache."""
        tokens = request.base + self.count
        request.made = request.output - (request.end - self.count)
        request.end = _NOWHERE
        request.busy_s += self.charged_s
        request.energy_j += self.charged_j
        self._residues[request.base % self._size] -= 1
        self.batch -= 1
        self.context -= tokens
        return tokens

    def done(self) -> list[tuple[Request, int]]:
        """Who ends now, with the tokens that each has in the cache; they decode no more."""
        found, ends, here, size = [], self.ends, self.count, self._size
        while ends and ends[0][0] <= here:
            end, _, request = heappop(ends)
            if request.end != end:  # it has left before
                continue
            tokens = request.base + here  # `leave`, written out: every request passes here
            request.made, request.end = request.output, _NOWHERE
            request.busy_s += self.charged_s
            request.energy_j += self.charged_j
            self._residues[request.base % size] -= 1
            self.batch -= 1
            self.context -= tokens
            found.append((request, tokens))
        return found

    # ------------------------------------------------------------ blocks

    def need(self) -> int:
        """Blocks that the next iteration takes."""
        return self._residues[-self.count % self._size]

    def ahead(self) -> int:
        """Iterations up to the first end."""
        ends = self.ends
        while ends[0][2].end != ends[0][0]:
            heappop(ends)
        return ends[0][0] - self.count

    def undisturbed(self, free: int) -> int:
        """Iterations for which `free` blocks last, up to the first end; the first has its blocks already."""
        batch, size = self.batch, self._size
        most, done = self.ahead(), 1 + free // batch * size  # each takes one block in so many iterations
        if done >= most:
            return most
        free %= batch
        while done < most:
            free -= self._residues[-(self.count + done) % size]
            if free < 0:
                break
            done += 1
        return done

    def blocks(self, iterations: int) -> int:
        """Blocks that the next iterations take."""
        size, residues = self._size, self._residues
        turns, rest = divmod(iterations, size)
        found, place = turns * self.batch, -self.count % size
        for _ in range(rest):
            found += residues[place]
            place -= 1  # from 0 to the last
        return found

    # ------------------------------------------------------------ time

    def stretch(self, iterations: int) -> tuple[float, float, float]:
        """(seconds, those of its arithmetic, those of its reading) of the next iterations; the others build on it."""
        batch, context, context_s = self.batch, self.context, self._context_s
        try:
            seconds, compute_s, memory_s, growth_s = self._linear[batch]
        except KeyError:
            seconds, compute_s, memory_s = self.cost.base(batch, batch, batch)
            growth_s = 0.5 * context_s * batch
            self._linear[batch] = seconds, compute_s, memory_s, growth_s
        linear_s = seconds + context_s * context + growth_s
        self.rates = growth_s, linear_s
        pairs = iterations * (context + 0.5 * batch * (iterations + 1))
        return (
            iterations * (linear_s + growth_s * iterations),
            iterations * compute_s + self._attention_s * pairs,
            iterations * memory_s + self._cache_s * pairs,
        )

    def span(self, iterations: int) -> float:
        """Seconds of that many."""
        growth_s, linear_s = self.rates
        return iterations * (linear_s + growth_s * iterations)

    def iterations(self, span_s: float) -> int:
        """The smallest number of iterations, at least 1, that take `span_s` or more."""
        growth_s, linear_s = self.rates
        number = int(2.0 * span_s / (linear_s + sqrt(linear_s * linear_s + 4.0 * growth_s * span_s))) or 1
        while number * (linear_s + growth_s * number) < span_s:
            number += 1
        while number > 1 and (number - 1) * (linear_s + growth_s * (number - 1)) >= span_s:
            number -= 1
        return number
