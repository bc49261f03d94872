"""What `dcsim gpu ...` prints for people: the figures of `gpu_summary` in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcsim.report import grids
from dcsim.report.grids import Line
from dcsim.report.words import count, find, joules, kilowatt_hours, percent, seconds, significant
from dcsim.units import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

Summary = Mapping[str, Any]

#: Words for classes of kernels and for what bounds them.
CLASS_WORDS = {
    "linear": "layers with weights", "attention": "attention", "gathers": "gathers from tables",
    "sampling": "sampling and states", "links": "links between GPUs", "launches": "launches and host",
    "stages": "waiting for other stages", "stragglers": "waiting for the slowest",
    "checkpoints": "checkpoints and failures",
}  # fmt: skip
LIMIT_WORDS = {"compute": "compute", "memory": "memory", "communication": "communication", "fixed": "fixed times"}


def point_table(kind: str, summaries: Sequence[Summary]) -> RenderableType:
    """One point in full, or a row for each of several, for `rich.print`. kind: `llm`, `training` or any other."""
    from rich.console import Group
    from rich.text import Text

    first = summaries[0]
    title = f"{first['model']['name']} on {_gpus(first)}"
    blocks: list[RenderableType] = [Text.assemble((title, "bold"), f"  {_HEADS.get(kind, _batch_head)(first)}"), Text()]
    if len(summaries) == 1:
        blocks.append(grids.grid(_LINES.get(kind, _batch_lines)(first)))
        if "kernels" in first:
            blocks += [Text(), _spent(first)]
    else:
        blocks.append(_rows(_COLUMNS.get(kind, _BATCH_COLUMNS), summaries))
    blocks.append(Text())
    notes = dict.fromkeys(note for summary in summaries for note in summary["notes"])
    blocks += [Text(f"note: {note}", style="yellow") for note in notes]
    blocks.append(Text(grids.numbers(first), style="dim"))
    return Group(*blocks)


def _gpus(summary: Summary) -> str:
    gpu = summary["gpu"]
    part = f", {gpu['part']}" if "part" in gpu else ""
    return (f"{gpu['count']:,} x {gpu['name']}" if gpu["count"] > 1 else str(gpu["name"])) + part


# ---------------------------------------------------------------- one point


def _language_head(summary: Summary) -> str:
    load = summary["load"]
    return (
        f"{summary['model']['precision']}, {_counted(load['input_tokens'], 'tokens')} in, {load['output_tokens']:,} out"
    )


def _counted(number: float, unit: str) -> str:
    """`1 token`, `2,048 tokens`."""
    return f"{batch_words(number)} {unit if number != 1 else unit.removesuffix('s')}"


def _batch_head(summary: Summary) -> str:
    return str(summary["model"]["precision"])


def _language_lines(summary: Summary) -> Iterator[Line]:
    load, rate, energy = summary["load"], summary["throughput_per_s"], summary["energy_j"]
    requests = "request" if load["batch"] == 1 else "requests"
    yield "batch", count(load["batch"]), f"{requests} at a time; largest that fits {summary['largest_batch']:,}"
    alone = f"{seconds(summary['ttft_alone_s'])} without others; waiting to be admitted not counted"
    yield "first token", seconds(summary["ttft_s"]), alone
    if "tpot_s" in summary:
        yield "per token", seconds(summary["tpot_s"]), f"mean; median between tokens {seconds(summary['itl_p50_s'])}"
    yield "request", seconds(summary["latency_s"]), "from its admission to its last token"
    more = f"{significant(rate['tokens_per_gpu'])}/s per GPU; " if summary["gpu"]["count"] > 1 else ""
    yield "output tokens", f"{significant(rate['tokens'])}/s", f"{more}{significant(rate['requests'])} requests/s"
    yield _power_line(summary)
    yield (
        "per output token",
        joules(energy["token"]),
        f"power over tokens per second; {joules(energy['request'])} a request",
    )
    held = summary["memory_bytes"]
    detail = f"weights; room for a cache of {_gigabytes(held['cache'])}, {_gigabytes(held['request'])} a request"
    yield "memory", _gigabytes(held["weights"]), detail


def _batch_lines(summary: Summary) -> Iterator[Line]:
    largest = summary.get("largest_batch")
    samples = "sample" if summary["load"]["batch"] == 1 else "samples"
    yield "batch", count(summary["load"]["batch"]), samples + (f"; largest that fits {largest:,}" if largest else "")
    yield "latency", seconds(summary["latency_s"]), "of a full batch"
    yield "throughput", f"{significant(summary['throughput_per_s']['samples'])}/s", "full batches one after the other"
    yield _power_line(summary)
    yield "per sample", joules(summary["energy_j"]["sample"]), "power over samples per second"
    held = summary["memory_bytes"]
    yield "memory", _gigabytes(held["weights"]), f"weights; {_gigabytes(held['sample'])} for each sample of the batch"
    if (found := summary.get("arrivals")) is not None:
        yield from _arrival_lines(found)


def _arrival_lines(found: Mapping[str, Any]) -> Iterator[Line]:
    wait = f"a batch waits at most {seconds(found['max_wait_s'])} for others"
    yield (
        "arrivals",
        f"{significant(found['rate_per_s'])}/s",
        f"at random; {wait}; {significant(found['served_per_s'])}/s answered",
    )
    if (latency := found.get("latency_s")) is not None:
        yield "latency, p50", seconds(latency["p50"]), f"mean {seconds(latency['mean'])}, p99 {seconds(latency['p99'])}"
    yield "batch, mean", significant(found["mean_batch"]), f"busy {percent(found['busy'])} of the time"
    yield "per sample", joules(found["energy_j"]), f"waiting included; {in_words(found['power_w'], 'W')}"


def _training_lines(summary: Summary) -> Iterator[Line]:
    load, rate, energy = summary["load"], summary["throughput_per_s"]["samples"], summary["energy_j"]
    if "step_s" in summary:
        yield (
            "step",
            seconds(summary["step_s"]),
            f"{_counted(load['batch'], load['unit'])}; {joules(energy['step'])}",
        )
    if (layout := summary.get("layout")) is not None:
        yield "copies", count(layout["copies"]), _layout_words(layout, load["unit"])
    yield "throughput", f"{_large(rate)}/s", load["unit"]
    yield "MFU", percent(summary["mfu"]), "model FLOP utilisation of the whole run"
    if "useful_share" in summary:
        interval = summary.get("checkpoint_interval_s")
        detail = "of the time is steps" + (f"; a checkpoint every {seconds(interval)}" if interval else "")
        yield "useful", percent(summary["useful_share"]), detail
    yield _power_line(summary)
    yield f"per {load['unit'][:-1]}", joules(energy["sample"]), "power over throughput"
    if (run := summary.get("run")) is not None:
        detail = f"{_large(load['samples'])} {load['unit']}; {_large(run['device_hours'])} GPU-hours"
        yield "run", seconds(run["time_s"]), detail
        yield "energy of the run", kilowatt_hours(run["energy_kwh"]), "GPUs alone"
    yield "memory", _gigabytes(summary["memory_bytes"]["state"]), "weights, gradients and optimiser"


def _layout_words(layout: Mapping[str, Any], unit: str) -> str:
    each = layout["tensor"] * layout["pipeline"]
    if each == 1:
        return "of the model, one on each GPU"
    chunks = f" of {layout['interleave']} chunks" if layout["interleave"] > 1 else ""
    stages = f", {layout['pipeline']} stages{chunks}, {_counted(layout['micro_batch'], unit)} in each"
    return f"of the model, {layout['tensor']} GPUs to a layer{stages if layout['pipeline'] > 1 else ''}"


def _power_line(summary: Summary) -> Line:
    power, clock = summary["power_w"], summary["gpu"]["clock"]
    each = f"{in_words(power['gpu'], 'W')} each; " if summary["gpu"]["count"] > 1 else ""
    slower = f"; clock at {percent(clock)}" if clock < 1.0 else ""
    return (
        "power",
        in_words(power["total"], "W"),
        f"{each}idle power included; host {in_words(power['host'], 'W')} more{slower}",
    )


def _gigabytes(value: float) -> str:
    return in_words(value, "B")


def _large(value: float) -> str:
    """Three digits with a prefix: 15.6 T, 4 M, 512."""
    return in_words(value, "").strip() if value >= 1e4 else significant(value)


def batch_words(batch: float) -> str:
    """A batch in full below a million: 2,048; 16 M."""
    return count(batch) if batch < 1e6 else in_words(batch, "").strip()


def _spent(summary: Summary) -> RichTable:
    """Shares of the time by class of kernel beside those by what binds."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for header, right in (("time spent on", False), ("share", True), ("bound by", False), ("share", True)):
        grid.add_column(Text(header), justify="right" if right else "left", no_wrap=True)
    left = [(CLASS_WORDS[name], _share(share)) for name, share in _sorted(summary["kernels"])]
    right_side = [(LIMIT_WORDS[name], _share(share)) for name, share in _sorted(summary["limits"])]
    for row in range(max(len(left), len(right_side))):
        cells = [side[row] if row < len(side) else ("", "") for side in (left, right_side)]
        grid.add_row(*(Text(cell) for pair in cells for cell in pair))
    return grid


def _sorted(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])


def _share(value: float) -> str:
    if value < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= value < 1.0 else f"{value * 100:.1f} %"


# ---------------------------------------------------------------- several points

_Column = tuple[str, Callable[[Summary], str]]


def _bound(summary: Summary) -> str:
    limit = summary.get("bound_by")
    return "" if limit is None else f"{LIMIT_WORDS[limit]} {summary['limits'][limit] * 100:.0f} %"


def _time(*path: str) -> Callable[[Summary], str]:
    return lambda summary: "" if (value := find(summary, *path)) is None else seconds(value)


_BATCH: _Column = ("batch", lambda summary: batch_words(summary["load"]["batch"]))
_POWER: _Column = ("power", lambda summary: in_words(summary["power_w"]["total"], "W"))
_BOUND: _Column = ("bound by", _bound)
_LANGUAGE_COLUMNS: tuple[_Column, ...] = (
    _BATCH,
    ("first token", _time("ttft_s")),
    ("per token", _time("tpot_s")),
    ("request", _time("latency_s")),
    ("tokens", lambda summary: f"{significant(summary['throughput_per_s']['tokens'])}/s"),
    _POWER,
    ("energy per token", lambda summary: joules(summary["energy_j"]["token"])),
    _BOUND,
)
_BATCH_COLUMNS: tuple[_Column, ...] = (
    _BATCH,
    ("latency", _time("latency_s")),
    ("samples", lambda summary: f"{significant(summary['throughput_per_s']['samples'])}/s"),
    _POWER,
    ("energy per sample", lambda summary: joules(summary["energy_j"]["sample"])),
    ("p50 at random", _time("arrivals", "latency_s", "p50")),
    ("p99 at random", _time("arrivals", "latency_s", "p99")),
    _BOUND,
)
_TRAINING_COLUMNS: tuple[_Column, ...] = (
    _BATCH,
    ("step", _time("step_s")),
    ("throughput", lambda summary: f"{_large(summary['throughput_per_s']['samples'])}/s"),
    ("MFU", lambda summary: percent(summary["mfu"])),
    _POWER,
    ("energy of a step", lambda summary: joules(summary["energy_j"]["step"])),
    ("run", _time("run", "time_s")),
    _BOUND,
)


def _rows(columns: Sequence[_Column], summaries: Sequence[Summary]) -> RichTable:
    from rich.table import Table
    from rich.text import Text

    shown = [(name, [text(summary) for summary in summaries]) for name, text in columns]
    shown = [(name, cells) for name, cells in shown if any(cells)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name, _ in shown:
        table.add_column(Text(name), justify="left" if name == "bound by" else "right", no_wrap=True)
    for row in range(len(summaries)):
        table.add_row(*(Text(cells[row]) for _, cells in shown))
    return table


_HEADS: Mapping[str, Callable[[Summary], str]] = {"llm": _language_head}
_LINES: Mapping[str, Callable[[Summary], Iterator[Line]]] = {"llm": _language_lines, "training": _training_lines}
_COLUMNS: Mapping[str, tuple[_Column, ...]] = {"llm": _LANGUAGE_COLUMNS, "training": _TRAINING_COLUMNS}
