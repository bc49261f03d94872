"""The engine as a loop over tokens and blocks: what `dcsim.gpu.engine` must equal. Scheduling of vLLM v1, written down.

Nothing is clever here: every iteration is run, every block is an object in a queue of free ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from dcsim.gpu.schedule import Limits
from dcsim.gpu.steps import StepCost


@dataclass
class Outcome:
    """Times by request, s; every time between two tokens of a request; counts."""

    first: list[float]
    last: list[float]
    gaps: list[float] = field(default_factory=list)
    iterations: int = 0
    preemptions: int = 0
    recomputed: int = 0


def serve(  # noqa: PLR0912, PLR0915  (in one piece, to be read from top to bottom)
    arrival: Sequence[float], prompt: Sequence[int], output: Sequence[int], cost: StepCost, limits: Limits
) -> Outcome:
    """All requests, sorted by arrival, on one engine."""
    size, n = limits.block_tokens, len(arrival)
    free = OrderedDict[int, None].fromkeys(range(limits.blocks))  # the one that is handed out next comes first
    content: dict[
        int, tuple[int, int]
    ] = {}  # block -> (request, number of the block in it), while nobody has reused it
    blocks: list[list[int]] = [[] for _ in range(n)]
    computed, made, before, token_s = [0] * n, [0] * n, [0] * n, [0.0] * n
    waiting: list[int] = []
    running: list[int] = []
    found, now, arrived = Outcome([0.0] * n, [0.0] * n), 0.0, 0

    def extend(request: int, tokens: int) -> None:
        while len(blocks[request]) * size < tokens:
            blocks[request].append(free.popitem(last=False)[0])
            content[blocks[request][-1]] = (request, len(blocks[request]) - 1)

    def release(request: int) -> None:
        free.update(dict.fromkeys(reversed(blocks[request])))
        blocks[request] = []

    while arrived < n or waiting or running:
        if not waiting and not running:
            now = max(now, arrival[arrived])
        while arrived < n and arrival[arrived] <= now:
            waiting.append(arrived)
            arrived += 1
        left, batch, preempted = limits.max_batched_tokens, dict[int, int](), False
        for request in list(running):
            tokens = min(prompt[request] + made[request] - computed[request], left)
            while request in running and -(-(computed[request] + tokens) // size) - len(blocks[request]) > len(free):
                victim, preempted = running.pop(), True
                release(victim)
                before[victim], computed[victim] = computed[victim], 0
                waiting.insert(0, victim)
                found.preemptions += 1
            if request not in running:
                break
            extend(request, computed[request] + tokens)
            batch[request], left = tokens, left - tokens
        while waiting and left and len(running) < limits.max_sequences and not preempted:
            request, total = waiting[0], prompt[waiting[0]] + made[waiting[0]]
            if -(-total // size) > len(free):
                break
            known = {place: block for block, (whose, place) in content.items() if whose == request and block in free}
            while limits.prefix_caching and before[request] and len(blocks[request]) < (total - 1) // size:
                block = known.get(len(blocks[request]))
                if block is None:
                    break
                blocks[request].append(block)
                del free[block]
            computed[request] = len(blocks[request]) * size
            found.recomputed += max(before[request] - computed[request], 0)
            batch[request] = tokens = min(total - computed[request], left)
            extend(request, computed[request] + tokens)
            running.append(waiting.pop(0))
            left -= tokens
        sampled = sum(
            computed[request] + tokens == prompt[request] + made[request] for request, tokens in batch.items()
        )
        now += cost.linear(sum(batch.values()), len(batch), sampled).seconds
        now += sum(cost.chunk(computed[request], tokens).seconds for request, tokens in batch.items())
        found.iterations += 1
        for request, tokens in batch.items():
            computed[request] += tokens
            if computed[request] == prompt[request] + made[request]:
                made[request] += 1
                if made[request] == 1:
                    found.first[request] = now
                else:
                    found.gaps.append(now - token_s[request])
                token_s[request] = now
                if made[request] == output[request]:
                    found.last[request] = now
                    running.remove(request)
                    release(request)
    return found
