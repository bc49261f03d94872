"""`result.plot`: the figures of the report in a notebook or a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.report import figures, series
from dcsim.report.kinds import ResultLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Plots:
    """Figures of one result. Each method draws on `ax`, or on a new figure, and returns the Axes."""

    def __init__(self, result: ResultLike) -> None:
        self._numbers = series.of(result)

    def power(self, ax: Axes | None = None) -> Axes:
        """Power over time, stacked by rack group, with the facility's total."""
        return self._draw(figures.power, ax)

    def latency(self, ax: Axes | None = None) -> Axes:
        """Latency distribution per stream with p50, p95, p99 and objectives."""
        return self._draw(figures.latency, ax)

    def energy_per_job(self, ax: Axes | None = None) -> Axes:
        """Energy per job at chip, node, rack and facility, GPU against neuromorphic."""
        return self._draw(figures.energy_per_job, ax)

    def _draw(self, figure: figures.Figure, ax: Axes | None) -> Axes:
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=figures.size_in(figure, self._numbers), layout="constrained")
        return figure(self._numbers, ax)
