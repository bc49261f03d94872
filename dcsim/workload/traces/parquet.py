"""Jobs in an Apache Parquet file: the columns and options of the format `csv`.

Cells may be numbers, text, dates or timestamps. A row number is that of the record, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.errors import TraceError
from dcsim.workload.block import Block
from dcsim.workload.traces import _native, _table
from dcsim.workload.traces._kept import Kept
from dcsim.workload.traces._reading import Reading, Rows

OPTIONS = ("columns", "timezone")

_BATCH_ROWS = 262_144


def read(path: Path, reading: Reading) -> Block:
    """Jobs with the columns of the file. Raises TraceError."""
    return _native.jobs(_rows(path, reading, timed=True), timed=True)


def items(path: Path, reading: Reading) -> Block:
    """Jobs of a list; arrival times, where it has them, are not read. Raises TraceError."""
    return _native.jobs(_rows(path, reading, timed=False), timed=False)


def _rows(path: Path, reading: Reading, *, timed: bool) -> Kept:
    rows = Rows(path, reading)
    with _opened(path) as file:
        if file.metadata.num_rows > _table.MAX_ROWS:
            raise TraceError(f"{path}: found {file.metadata.num_rows:,} rows, want at most {_table.MAX_ROWS:,}")
        theirs = list(file.schema_arrow.names)
        names, columns = _native.chosen(path, theirs, reading, timed=timed)
        wanted = [theirs[names.index(column.name)] for column in columns]
        gathering, first = _table.Gathering(rows, columns), 1
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            arrays = [_plain(batch.column(batch.schema.names.index(name))) for name in wanted]
            gathering.add(arrays, np.arange(first, first + batch.num_rows))
            first += batch.num_rows
    if first == 1:
        raise TraceError(f"{path}: no rows")
    return Kept(rows, gathering.table())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file; what is wrong with it, while it is read too, becomes a TraceError."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with path.open("rb") as raw, parquet.ParquetFile(raw) as file:
            yield file
    except (pa.ArrowException, MemoryError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())[:200]
        raise TraceError(f"{path}: the Parquet file is cut short or damaged ({why})") from None
    except OSError as error:
        why = error.strerror or " ".join(str(error).split())[:200]
        raise TraceError(f"{path}: cannot read the trace: {why}") from None


def _plain(cells: Any) -> Any:
    """Text of any kind as plain text; other types as they are."""
    import pyarrow as pa

    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    text = pa.types.is_large_string(cells.type) or pa.types.is_string_view(cells.type)
    return cells.cast(pa.string()) if text else cells
