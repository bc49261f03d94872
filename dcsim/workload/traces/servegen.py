"""Clients of ServeGen (alibaba/ServeGen, NSDI 2026): `chunk-N-trace.csv` and `chunk-N-dataset.json` of each client.

The path is the folder of a model, such as `data/language/m-large`, or one trace file. A trace has no header and one row
per window: `ts` [s], `rate` [1/s], `cv` (coefficient of variation of the gaps), `pattern` (Gamma or Weibull, empty
where nothing arrived) and its two fitted parameters `p1` (shape) and `p2` (scale, s). The windows follow each other
without a gap, and those of all clients are the same. A dataset has the distributions of tokens, by the first second of
the window from which each holds; `input_tokens` and `output_tokens` are read, the other keys (images, reasoning) are
left out.

`rates` gives the sum over clients, or the rates of the one whose number the option `select` names. `clients` gives all
that was read, client by client. Every window of a trace is needed: a bad row is refused even where bad rows are to be
skipped. Bad windows of a dataset can be skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import FloatArray
from dcsim.workload.traces import _json, _table
from dcsim.workload.traces._columns import MAX_S, MAX_TOKENS, Label, Number
from dcsim.workload.traces._jobs import BadRecord
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Reading, Rows
from dcsim.workload.traces._tables import Rates
from dcsim.workload.traces._text import opened

OPTIONS = ("select",)
FOLDERS = True

#: Most clients of a folder.
MAX_CLIENTS = 100_000

_NAMES = ("ts", "rate", "cv", "pattern", "p1", "p2")
_COLUMNS = (
    Number("ts"),
    Number("rate", most=1e9),
    Number("cv", most=1e9),
    Label("pattern", allowed=frozenset({"", "Gamma", "Weibull", "Exponential"})),
    Number("p1", most=MAX_S),
    Number("p2", most=MAX_S),
)
_LAYOUT = Layout(header=False)
_FILE = re.compile(r"chunk-(\d{1,9})-trace\.csv(\.gz|\.zst)?", re.ASCII)
_TOKENS = ("input_tokens", "output_tokens")
_WINDOW = Number("window", whole=True)
_BIN = re.compile(r"\s*(\d{1,8})\s*:\s*(\d+\.?\d*(?:[eE][+-]?\d{1,3})?)\s*", re.ASCII)


@dataclass(frozen=True)
class Lengths:
    """Distribution of a number of tokens from one moment on."""

    start_s: float
    tokens: FloatArray
    """whole numbers, rising, shape (n,)"""
    share: FloatArray
    """of requests, sum 1, shape (n,)"""


@dataclass(frozen=True)
class Client:
    """One client in n windows."""

    number: int
    rates: Rates
    cv: FloatArray
    """of the gaps between arrivals, 0 where nothing arrived, shape (n,)"""
    pattern: tuple[str, ...]
    """law of the gaps, '' where nothing arrived, n of them"""
    shape: FloatArray
    """first parameter of the law, shape (n,)"""
    scale_s: FloatArray
    """second parameter of the law, shape (n,), s"""
    lengths: Mapping[str, tuple[Lengths, ...]]
    """input_tokens and output_tokens -> distributions by their start; without a dataset, none"""


def rates(path: Path, reading: Reading) -> Rates:
    """The sum of the clients' rates, or that of the chosen one. Raises TraceError."""
    files = _chosen(path, reading)
    first = _client_rates(files[0][1], reading)[0]
    rate_hz = first.rate_hz.copy()
    for _, file in files[1:]:
        found = _client_rates(file, reading)[0]
        _check_windows(file, found, first)
        rate_hz += found.rate_hz
    return Rates(first.interval_s, rate_hz)


def clients(path: Path, reading: Reading) -> tuple[Client, ...]:
    """All clients, or the chosen one, by number. Raises TraceError."""
    found: list[Client] = []
    for number, file in _chosen(path, reading):
        rates_, table = _client_rates(file, reading)
        if found:
            _check_windows(file, rates_, found[0].rates)
        laws = table.names.get("pattern", ("",))
        pattern = tuple(laws[code] for code in table["pattern"].tolist())
        lengths = _lengths(file, reading)
        found.append(Client(number, rates_, table["cv"], pattern, table["p1"], table["p2"], lengths))
    return tuple(found)


# ---------------------------------------------------------------- files


def _chosen(path: Path, reading: Reading) -> list[tuple[int, Path]]:
    """Number and trace file of each client that is wanted, by number."""
    try:
        names = [path.name] if path.is_file() else [each.name for each in path.iterdir()]
    except OSError as error:
        raise TraceError(f"{path}: cannot read the trace: {error.strerror or error}") from None
    folder = path.parent if path.is_file() else path
    matches = [(name, _FILE.fullmatch(name)) for name in names]
    files = sorted((int(match[1]), folder / name) for name, match in matches if match)
    if path.is_file() and not files:
        files = [(0, path)]
    if not files:
        raise TraceError(f"{path}: no file such as chunk-0-trace.csv in this folder")
    if len(files) > MAX_CLIENTS:
        raise TraceError(f"{path}: more than {MAX_CLIENTS} clients; at most that many are read")
    if reading.select is None:
        return files
    chosen = [(number, file) for number, file in files if str(number) == reading.select]
    if not chosen:
        hint = nearest(reading.select, (str(number) for number, _ in files))
        raise TraceError(f"{path}, option select: found no client '{reading.select}'{hint}")
    return chosen


def _client_rates(file: Path, reading: Reading) -> tuple[Rates, _table.Table]:
    """Rates of one client, and its rows, none of which may be bad."""
    table = _table.read(Rows(file, replace(reading, bad_rows="refuse")), _NAMES, _COLUMNS, _LAYOUT)
    starts_s = table["ts"]
    if len(starts_s) < 2:
        raise TraceError(f"{file}: found {len(starts_s)} window, want at least 2, which say how long one is")
    interval_s = float(starts_s[1] - starts_s[0])
    wanted = starts_s[0] + interval_s * np.arange(len(starts_s))
    astray = np.flatnonzero(np.abs(starts_s - wanted) > 1e-6 * interval_s)
    if interval_s <= 0.0 or len(astray):
        row = int(astray[0]) if len(astray) else 1
        found = f"row {table.lines[row]}, column 'ts': found '{starts_s[row]:.15g}'"
        raise TraceError(f"{file}, {found}, want windows of one length, one after the other")
    return Rates(interval_s, np.asarray(table["rate"], np.float64)), table


def _check_windows(file: Path, found: Rates, first: Rates) -> None:
    if (found.interval_s, len(found.rate_hz)) != (first.interval_s, len(first.rate_hz)):
        windows = f"{len(found.rate_hz)} windows of {found.interval_s:g} s"
        want = f"{len(first.rate_hz)} of {first.interval_s:g} s as the first client has"
        raise TraceError(f"{file}: found {windows}, want {want}")


def _lengths(trace: Path, reading: Reading) -> dict[str, tuple[Lengths, ...]]:
    """Distributions of the dataset beside a trace file."""
    file = trace.with_name(f"{trace.name.partition('-trace.csv')[0]}-dataset.json")
    if not file.is_file():
        return {}
    rows = Rows(file, reading)
    found: dict[str, list[Lengths]] = {key: [] for key in _TOKENS}
    with opened(file, longest_line=None) as text:
        source = _json.Source(text, file)
        for number, window in enumerate(source.members(), start=1):
            value = source.plain()
            try:
                for key, lengths in _window(window, value).items():
                    found[key].append(lengths)
            except BadRecord as bad:
                rows.bad(number, bad.key, bad.found, bad.wants)
        source.end()
    return {key: tuple(sorted(each, key=lambda lengths: lengths.start_s)) for key, each in found.items()}


def _window(window: str, value: object) -> dict[str, Lengths]:
    """The distributions of one window; one without requests has none."""
    start_s = _json.number(int(window), _WINDOW) if window.isascii() and window.isdigit() and len(window) < 20 else None
    if start_s is None:
        raise BadRecord("window", window, _WINDOW.wants)
    if not isinstance(value, dict):
        raise BadRecord("window", _json.shown(value), "an object")
    bins = {key: _bins(key, value[key]) for key in _TOKENS if key in value}
    return {key: Lengths(start_s, *found) for key, found in bins.items() if len(found[0])}


def _bins(key: str, text: object) -> tuple[FloatArray, FloatArray]:
    """Tokens and shares from text such as `{224: 0.25, 225: 0.75}`. Raises BadRecord."""
    wants = "text such as {224: 0.25, 225: 0.75}: tokens and shares that sum to 1"
    if not isinstance(text, str) or not (text.startswith("{") and text.endswith("}")):
        raise BadRecord(key, _json.shown(text), wants)
    body = text[1:-1].strip()
    pairs = [_BIN.fullmatch(each) for each in body.split(",")] if body else []
    tokens = np.array([float(pair[1]) for pair in pairs if pair])
    share = np.array([float(pair[2]) for pair in pairs if pair])
    whole = len(tokens) == len(pairs) and len(np.unique(tokens)) == len(tokens)
    if not whole or (pairs and not (tokens.max() <= MAX_TOKENS and abs(share.sum() - 1.0) < 1e-3)):
        raise BadRecord(key, text, wants)
    order = np.argsort(tokens)
    return tokens[order], share[order] / (share.sum() if pairs else 1.0)
