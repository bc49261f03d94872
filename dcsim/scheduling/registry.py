"""Policies by name. A policy is registered where it is defined; nothing else lists it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from dcsim.errors import ScenarioError, nearest

Policy = TypeVar("Policy")


class Registry(Generic[Policy]):
    """Named policies of one sort (queue orders, placements)."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._policies: dict[str, Policy] = {}

    def add(self, name: str) -> Callable[[Policy], Policy]:
        """Decorator that registers a policy; a name that is taken is a ValueError."""

        def register(policy: Policy) -> Policy:
            if name in self._policies:
                raise ValueError(f"{self.key} '{name}' is registered twice")
            self._policies[name] = policy
            return policy

        return register

    def get(self, name: str) -> Policy:
        """The policy `name`. ScenarioError with the nearest name when there is none."""
        if name not in self._policies:
            raise ScenarioError(f"scheduling.{self.key}: no {self.key} '{name}'{nearest(name, self._policies)}")
        return self._policies[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._policies)
