"""Which replica a request joins."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.scheduling.routes import ROUTES, UNLIMITED
from dcsim.scheduling.slots import Slots


class _Replica:
    """Stands for a server that holds so many tokens."""

    def __init__(self) -> None:
        self.place, self.tokens = -1, 0


def _route(name: str, count: int, slots: int = UNLIMITED) -> tuple[Slots, list[_Replica]]:
    replicas = [_Replica() for _ in range(count)]
    return ROUTES.get(name)(replicas, slots), replicas  # type: ignore[arg-type]


def test_round_robin_takes_turns_whatever_the_load() -> None:
    route, replicas = _route("round-robin", 3)
    taken = [route.take() for _ in range(7)]
    assert [replicas.index(server) for server in taken] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("name", ["least-requests", "least-tokens"])
def test_the_least_loaded_replica_is_taken(name: str) -> None:
    """Against a search through all of them, over random arrivals and ends."""
    route, replicas = _route(name, 5)
    random = np.random.default_rng(3)
    running: list[tuple[_Replica, int]] = []
    requests = [0] * 5
    for _ in range(2000):
        if running and random.random() < 0.48:
            server, tokens = running.pop(int(random.integers(len(running))))
            server.tokens -= tokens
            requests[server.place] -= 1
            route.give(server)  # type: ignore[arg-type]
            continue
        loads = requests if name == "least-requests" else [replica.tokens for replica in replicas]
        server = route.take()
        assert server is replicas[loads.index(min(loads))]
        tokens = int(random.integers(1, 1000))
        server.tokens += tokens
        requests[server.place] += 1
        running.append((server, tokens))


def test_a_replica_that_is_full_or_down_is_not_offered() -> None:
    route, replicas = _route("least-requests", 2, slots=2)
    assert [route.take() for _ in range(5)] == [replicas[0], replicas[1], replicas[0], replicas[1], None]
    assert route.available == 0
    route.give(replicas[1])  # type: ignore[arg-type]
    assert route.take() is replicas[1]
    for _ in range(2):
        route.give(replicas[0])  # type: ignore[arg-type]
    route.withdraw([replicas[0]])  # type: ignore[list-item]
    assert route.take() is None
    route.restore([replicas[0]])  # type: ignore[list-item]
    assert route.take() is replicas[0]


def test_an_unknown_route_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"no route 'least-request'; did you mean 'least-requests'\?"):
        ROUTES.get("least-request")
