"""What a run gives back: a summary, tables, figures, a report, and a folder that holds all of them."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from dcsim import scenario as scenarios
from dcsim.errors import DcsimError
from dcsim.results import columns, energy, summary, tables
from dcsim.results.account import RunAccount
from dcsim.results.columns import Column
from dcsim.results.tables import Table, Words
from dcsim.scenario.models import Scenario

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from dcsim.report import Plots

_TABLES = {
    "jobs": columns.JOBS,
    "attempts": columns.ATTEMPTS,
    "racks": columns.RACKS,
    "facility": columns.FACILITY,
}
_EMPTY = {
    "int": np.zeros(0, np.int64),
    "float": np.zeros(0),
    "text": np.zeros(0, object),
    "flag": np.zeros(0, object),
}
_ROWS = 1 << 20  # of one row group


class ResultError(DcsimError):
    """A run folder that cannot be written or read."""


class _Source(Protocol):
    """Where tables come from: the account of a run, or a run folder."""

    def pieces(self, name: str) -> Iterator[Table]:
        """A table in pieces, in order."""


class _Live:
    def __init__(self, account: RunAccount, shares: energy.Rates) -> None:
        self.account, self.shares = account, shares

    def pieces(self, name: str) -> Iterator[Table]:
        """Made from the account."""
        if name == "jobs":
            return tables.job_pieces(self.account, self.shares)
        return iter([getattr(tables, name)(self.account)])


class _Saved:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pieces(self, name: str) -> Iterator[Table]:
        """Read from the folder's Parquet files."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise ResultError(f"{path}: not a table of a run folder ({type(error).__name__})") from None
        columns = dict.fromkeys(table.column_names)
        if not table.schema.equals(_schema(_present(_TABLES[name], columns))):
            raise ResultError(f"{path}: has other columns than the {name} table of this version of dcsim")
        yield {column: table[column].to_numpy() for column in table.column_names}


class Result:
    """One finished run. Tables are pandas frames, made when they are asked for."""

    def __init__(
        self,
        scenario: Scenario,
        manifest: dict[str, Any],
        summary: dict[str, Any],
        source: _Source,
        interrupted: bool = False,
    ) -> None:
        self.scenario, self.manifest, self.summary, self._source = scenario, manifest, summary, source
        self.interrupted = interrupted
        """whether the run was stopped before its end"""

    @classmethod
    def of(cls, account: RunAccount) -> Result:
        """The result of a run that has just ended."""
        shares = energy.rates(account)
        figures = summary.summarise(account, shares)
        return cls(account.scenario, account.manifest, figures, _Live(account, shares), account.interrupted)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a run folder back. ResultError when it is none."""
        folder = Path(folder)
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            figures = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ResultError(f"{folder}: not a run folder: {error}") from None
        if not (isinstance(manifest, dict) and isinstance(figures, dict)):
            raise ResultError(f"{folder}: not a run folder: manifest and summary must be JSON objects")
        return cls(
            scenarios.read_back(folder / "scenario.yaml"),
            manifest,
            figures,
            _Saved(folder),
            bool(manifest.get("interrupted", False)),
        )

    # ------------------------------------------------------------ tables

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """A row per job (see `dcsim.results.columns.JOBS`)."""
        return self._frame("jobs")

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """A row per start of every job that an outage cut short."""
        return self._frame("attempts")

    @cached_property
    def racks(self) -> pd.DataFrame:
        """A row per interval and part of a rack."""
        return self._frame("racks")

    @cached_property
    def facility(self) -> pd.DataFrame:
        """A row per interval and site."""
        return self._frame("facility")

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        pieces = list(self._source.pieces(name))
        columns: dict[str, Any] = {}
        for column in _present(_TABLES[name], pieces[0] if pieces else {}):
            parts = [_spelt(piece[column.name]) for piece in pieces]
            values = np.concatenate([_EMPTY[column.kind], *parts])
            columns[column.name] = pd.array(values, dtype="boolean") if column.kind == "flag" else values
        return pd.DataFrame(columns)

    # ------------------------------------------------------------ to look at, to keep

    @property
    def plot(self) -> Plots:
        """Figures: `result.plot.power()`, `.latency()`, `.energy_per_job()`."""
        from dcsim.report import Plots

        return Plots(self)

    def report(self, path: str | Path) -> Path:
        """Write the one-file HTML report; return its path."""
        from dcsim.report import write_html

        return write_html(self, Path(path))

    def save(self, folder: str | Path) -> Path:
        """Write the run folder: scenario.yaml, manifest.json, summary.json, tables. ResultError when it cannot."""
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "scenario.yaml").write_text(scenarios.dump(self.scenario), encoding="utf-8")
            for name, content in (("manifest", self.manifest), ("summary", self.summary)):
                (folder / f"{name}.json").write_text(
                    json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8"
                )
            for name, kinds in _TABLES.items():
                _write_parquet(folder / f"{name}.parquet", kinds, self._source.pieces(name))
        except OSError as error:
            raise ResultError(f"{folder}: cannot be written: {error.strerror or error}") from None
        return folder


def _present(kinds: Sequence[Column], piece: Container[str]) -> list[Column]:
    """Columns of a table of which `piece` is the first part."""
    return [column for column in kinds if not column.optional or column.name in piece]


def _spelt(values: npt.NDArray[np.generic] | Words) -> npt.NDArray[np.generic]:
    return values.spelt() if isinstance(values, Words) else values


def _schema(kinds: Sequence[Column]) -> pa.Schema:
    import pyarrow as pa

    arrow = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "flag": pa.bool_()}
    return pa.schema([pa.field(column.name, arrow[column.kind], metadata={"unit": column.unit}) for column in kinds])


def _arrow(values: npt.NDArray[np.generic] | Words, kind: pa.DataType) -> pa.Array:
    """A column for Parquet, from its buffers: `pa.array` would import pandas only to find that this is no frame."""
    import pyarrow as pa

    if isinstance(values, Words) or pa.types.is_string(kind):
        codes, words = values if isinstance(values, Words) else _numbered(values)
        text = [word.encode() for word in words]
        starts = np.cumsum([0, *map(len, text)], dtype=np.int32)
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(b"".join(text))]
        dictionary = pa.Array.from_buffers(kind, len(text), buffers)
        indices = pa.Array.from_buffers(pa.int32(), len(codes), [_bits(codes >= 0), pa.py_buffer(codes)])
        return pa.DictionaryArray.from_arrays(indices, dictionary).cast(kind)
    if pa.types.is_boolean(kind):
        known = np.array([value is not None for value in values], bool)
        return pa.Array.from_buffers(kind, len(values), [_bits(known), _bits(values.astype(bool))])
    data = np.ascontiguousarray(values, np.int64 if pa.types.is_integer(kind) else np.float64)
    return pa.Array.from_buffers(kind, len(data), [None, pa.py_buffer(data)])


def _numbered(values: npt.NDArray[np.generic]) -> Words:
    """A text column by the numbers of its words, in the order of their first rows."""
    words: dict[object, int] = {}
    codes = np.fromiter((-1 if word is None else words.setdefault(word, len(words)) for word in values), np.int32)
    return Words(codes, tuple(str(word) for word in words))


def _bits(flags: npt.NDArray[np.bool_]) -> pa.Buffer:
    """Flags as Arrow packs them."""
    import pyarrow as pa

    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _write_parquet(path: Path, kinds: Sequence[Column], pieces: Iterator[Table]) -> None:
    """One row group a piece, so that memory stays bounded by the piece; in place of an older file only when done."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ahead = list(islice(pieces, 1))
    schema = _schema(_present(kinds, ahead[0] if ahead else {}))
    part = path.with_suffix(".part")
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for piece in _handed_out(ahead, pieces):
                values = [_arrow(piece[field.name], field.type) for field in schema]
                writer.write_table(pa.Table.from_arrays(values, schema=schema), row_group_size=_ROWS)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _handed_out(ahead: list[Table], rest: Iterator[Table]) -> Iterator[Table]:
    """What was read ahead and the rest, without keeping hold of any of it."""
    while ahead:
        yield ahead.pop()
    yield from rest
