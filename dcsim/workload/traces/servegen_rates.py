"""Rates of ServeGen's models, summed over clients (alibaba/ServeGen, Apache-2.0): `model,ts,rate`.

One row per window of equal length that starts at `ts` [s]; `rate` in requests/s. The option `select` names the model;
it is needed where the file has several. The windows of a model follow each other without a gap; the first starts at
time 0 of the rates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.errors import TraceError, nearest
from dcsim.workload.traces._columns import Column, Label, Number
from dcsim.workload.traces._kept import Kept, load
from dcsim.workload.traces._reading import Reading
from dcsim.workload.traces._tables import Rates

OPTIONS = ("select",)

_COLUMNS: tuple[Column, ...] = (Label("model"), Number("ts"), Number("rate", most=1e9))


def rates(path: Path, reading: Reading) -> Rates:
    """Rates of the chosen model. Raises TraceError."""
    kept = load(path, reading, _COLUMNS, [column.name for column in _COLUMNS])
    rows = np.flatnonzero(kept.table["model"] == _model(kept))
    rows = rows[np.argsort(kept.table["ts"][rows], kind="stable")]
    starts_s = kept.table["ts"][rows]
    if len(rows) < 2:
        raise TraceError(f"{path}: found {len(rows)} window, want at least 2, which say how long one is")
    interval_s = float(starts_s[1] - starts_s[0])
    steps_s = np.diff(starts_s)
    astray = np.flatnonzero((np.abs(steps_s - interval_s) > 1e-6 * interval_s) | (steps_s == 0.0))
    if len(astray):
        place = int(astray[0]) + 1
        want = f"{starts_s[place - 1] + interval_s:.15g}" if interval_s else "one row for every window"
        row = f"row {kept.table.lines[rows[place]]}, column 'ts'"
        raise TraceError(f"{path}, {row}: found '{starts_s[place]:.15g}', want {want}: windows without a gap")
    dropped, told = dict(kept.rows.dropped), tuple(kept.rows.told)
    return Rates(interval_s, np.asarray(kept.table["rate"][rows], np.float64), dropped, told)


def _model(kept: Kept) -> int:
    """Number of the chosen model."""
    path, chosen = kept.rows.path, kept.rows.reading.select
    models = list(kept.table.names.get("model", ()))
    if chosen is None and len(models) == 1:
        return 0
    if chosen not in models:
        found = f"found '{chosen}'" if chosen is not None else "found none, want the model"
        raise TraceError(f"{path}, option select: {found}{nearest(chosen or '', models)}")
    return models.index(chosen)
