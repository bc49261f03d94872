"""Progress of a run on stderr, when that is a terminal: simulated time, jobs per second, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dcsim.units import in_words

Tick = Callable[[float, int], None]


@contextmanager
def progress(duration_s: float, *, quiet: bool = False) -> Iterator[Tick | None]:
    """A callback (simulated seconds, jobs finished) that moves a bar; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"0 of {in_words(duration_s, 's')}", total=duration_s, rate="")

        def tick(simulated_s: float, jobs: int) -> None:
            rate = jobs / max(time.monotonic() - started, 1e-9)
            words = f"{in_words(simulated_s, 's')} of {in_words(duration_s, 's')}"
            bar.update(task, completed=simulated_s, description=words, rate=f"{rate:,.0f} jobs/s")

        yield tick
