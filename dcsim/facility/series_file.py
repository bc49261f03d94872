"""Reads a signal over time from a file: CSV (plain or gzip) or Parquet, a moment and a value in every row."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import ScenarioError, nearest
from dcsim.facility.arrays import FloatArray
from dcsim.facility.series import Steps, stamped

if TYPE_CHECKING:
    import pandas as pd

#: Most rows of a file, and most bytes of it unpacked: a minute's values of 19 years.
MAX_ROWS = 10_000_000
MAX_BYTES = 512 * 2**20

#: Largest magnitude of a value.
MAX_VALUE = 1e6


def read(path: Path, *, time: str | None = None, column: str | None = None, hold: bool = False) -> Steps:
    """The signal in `path`, moments in seconds since 1970 (UTC), values in the unit of the file.

    Moments carry a zone (`2022-01-01T00:00Z`, `... 00:00:00+01:00`) or are UTC. `time` is the column of the moments, by
    default the first; `column` that of the values, by default the only other one. `hold` as in `series.stamped`.
    Raises ScenarioError that names the file, the row (the first one below the header is 1) and what is allowed.
    """
    table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if not 0 < len(table) <= MAX_ROWS:
        raise ScenarioError(f"{path}: found {len(table)} rows, want 1 to {MAX_ROWS:,}")
    time, column = _columns(path, list(map(str, table.columns)), time, column)
    moments, values = _moments(path, table[time], time), _values(path, table[column], column)
    try:
        return stamped(moments, values, hold=hold)
    except ValueError as error:
        raise ScenarioError(f"{path}, column '{column}': {error}") from None


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ScenarioError(f"{path}: more than {MAX_BYTES:,} bytes; at most that many are read")
        table: pd.DataFrame = pd.read_csv(io.BytesIO(data), dtype=str, skip_blank_lines=False, encoding="utf-8-sig")
        return table
    except (OSError, EOFError, ValueError, zlib.error) as error:  # a parser's error is a ValueError
        raise ScenarioError(f"{path}: not a CSV file that can be read ({' '.join(str(error).split())[:120]})") from None


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise ScenarioError(f"{path}: found {file.metadata.num_rows:,} rows, want 1 to {MAX_ROWS:,}")
            table: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
            return table
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        shown = " ".join(str(error).split())[:120]
        raise ScenarioError(f"{path}: not a Parquet file that can be read ({shown})") from None


def _columns(path: Path, names: list[str], time: str | None, column: str | None) -> tuple[str, str]:
    for name in (time, column):
        if name is not None and name not in names:
            raise ScenarioError(f"{path}: no column '{name}'{nearest(name, names)}")
    time = names[0] if time is None else time
    others = [name for name in names if name != time]
    if column is None and len(others) != 1:
        raise ScenarioError(
            f"{path}: found {len(others)} columns beside '{time}', want `column` with the one that is meant: "
            f"{', '.join(others)[:200]}"
        )
    return time, others[0] if column is None else column


def _moments(path: Path, cells: pd.Series, name: str) -> FloatArray:
    """Seconds since 1970, UTC; a moment without a zone is UTC."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(cells):
        raise ScenarioError(f"{path}, column '{name}': found numbers, want moments such as 2022-01-01T00:00Z")
    moments = pd.to_datetime(cells, utc=True, format=None if cells.dtype.kind == "M" else "ISO8601", errors="coerce")
    if moments.isna().any():
        row = int(np.argmax(moments.isna()))
        found = repr(str(cells.iloc[row])[:60])
        raise ScenarioError(
            f"{path}, row {row + 1}, column '{name}': found {found}, want one such as 2022-01-01T00:00Z"
        )
    epoch = pd.Timestamp(0, tz="UTC")
    return np.asarray((moments - epoch) / pd.Timedelta(seconds=1), np.float64)


def _values(path: Path, cells: pd.Series, name: str) -> FloatArray:
    """Numbers; NaN where a cell is empty."""
    import pandas as pd

    numbers = np.asarray(pd.to_numeric(cells, errors="coerce"), np.float64)
    bad = (np.isnan(numbers) & cells.notna().to_numpy()) | (np.abs(numbers) > MAX_VALUE)
    if bad.any():
        row = int(np.argmax(bad))
        found = repr(str(cells.iloc[row])[:60])
        raise ScenarioError(
            f"{path}, row {row + 1}, column '{name}': found {found}, want a number, -{MAX_VALUE:g} to {MAX_VALUE:g}"
        )
    return numbers
