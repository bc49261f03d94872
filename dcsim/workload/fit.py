"""The part of a scenario that best reproduces a trace: arrivals, and the tokens or run times of its jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dcsim.workload import fit_arrivals, fit_entries, fit_sizes, statistics
from dcsim.workload.block import Block

Half = Literal["first", "second", "all"]

_LONGEST_NAME = 48


@dataclass(frozen=True)
class Fit:
    """What was fitted to a trace; candidates are in the order of their scores, best first."""

    name: str
    source: str
    jobs: int
    arrivals: list[fit_arrivals.Candidate]
    sizes: list[fit_sizes.Candidate]
    """none where the trace has neither tokens nor run times"""

    @property
    def stream(self) -> dict[str, Any]:
        """Keys of a stream of a scenario."""
        return {"arrivals": self.arrivals[0].block} | ({self.sizes[0].key: self.sizes[0].block} if self.sizes else {})

    @property
    def entries(self) -> dict[str, fit_entries.Raw]:
        """Catalog entries that the stream names."""
        return {**self.arrivals[0].entries, **(self.sizes[0].entries if self.sizes else {})}

    def block(self, catalog_file: str) -> dict[str, Any]:
        """Part of a scenario, with its catalog file where the stream needs one."""
        files = {"catalog": [catalog_file]} if self.entries else {}
        return files | {"streams": {self.name: self.stream}}

    def block_text(self, catalog_file: str) -> str:
        """The same as YAML, with how good it is and what is missing."""
        best = self.arrivals[0]
        lines = [
            f"# Fitted to {self.source}.",
            f"# Arrivals: {best.name}, KS distance of gaps {best.gap_ks:.4f}, dispersion off by "
            f"{best.dispersion_error:.0%} beyond chance.",
        ]
        if self.sizes:
            told = ", ".join(f"{key} {ks:.4f}" for key, ks in self.sizes[0].ks.items())
            lines.append(f"# {self.sizes[0].key.capitalize()}: {self.sizes[0].name}, KS distance {told}.")
        timed = self.sizes and self.sizes[0].key == "service"
        lines.append("# To do: `runs_on`" + ("." if timed else ", and the `model` that serves the requests."))
        return "\n".join([*lines, fit_entries.block_text(self.block(catalog_file))])

    def catalog_text(self) -> str:
        """The catalog file that the block names; empty where it names none."""
        return fit_entries.text(self.entries) if self.entries else ""

    def document(self, catalog_file: str) -> dict[str, Any]:
        """All of it as plain data; keys are in docs/howto/workload.md."""
        return {
            "name": self.name,
            "source": self.source,
            "jobs": self.jobs,
            "arrivals": [_arrivals(one) for one in self.arrivals],
            "sizes": [_sizes(one) for one in self.sizes],
            "block": self.block(catalog_file),
            "catalog": self.entries,
        }


def fit(block: Block, name: str, source: str) -> Fit:
    """Fit the jobs of a trace. Raises TraceError when there are too few of them to fit.

    `name` is that of the stream and the prefix of catalog entries; `source` is what those say of their origin.
    """
    arrivals = fit_arrivals.fit(block.arrival_s, name, source)
    return Fit(name, source, len(block), arrivals, fit_sizes.fit(block, name, source))


def half(block: Block, which: Half) -> Block:
    """The jobs of the first or the second half of the time from the first to the last arrival, or all of them."""
    if which == "all" or not len(block):
        return block
    middle_s = block.arrival_s[0] + statistics.span_s(block.arrival_s) / 2
    cut = int(np.searchsorted(block.arrival_s, middle_s))
    return block.take(slice(cut) if which == "first" else slice(cut, None))


def name_of(file_name: str) -> str:
    """A name for a stream and its catalog entries, from that of a file: `Azure_conv.csv.gz` is `azure-conv`."""
    plain = re.sub(r"[^a-z0-9]+", "-", file_name.lower().partition(".")[0]).strip("-")
    return plain[:_LONGEST_NAME].strip("-") or "trace"


def _arrivals(one: fit_arrivals.Candidate) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name,
        "parameters": one.parameters,
        "gap_ks": one.gap_ks,
        "dispersion_error": _finite(one.dispersion_error),
        "rhythm_error": one.rhythm_error,
        "score": _finite(one.score),
        "block": one.block,
    }
    return found | ({} if one.held_out_ks is None else {"held_out_gap_ks": one.held_out_ks})


def _sizes(one: fit_sizes.Candidate) -> dict[str, Any]:
    distances: dict[str, Mapping[str, float]] = {"ks": dict(one.ks), "held_out_ks": dict(one.held_out_ks)}
    head = {"name": one.name, "parameters": one.parameters, "score": _finite(one.score)}
    return head | distances | {"key": one.key, "block": one.block}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
