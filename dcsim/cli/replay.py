"""`dcsim replay`: a batch job trace on equal nodes under a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcsim import units
from dcsim.cli import run
from dcsim.cli.folder import claimed
from dcsim.errors import DcsimError

_INTERRUPTED = 130


def command(
    trace: Annotated[Path, typer.Argument(help="Job trace.")],
    trace_format: Annotated[str, typer.Option("--format", help="Format of the trace, such as swf or csv.")],
    nodes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Nodes of the machine.")],
    policy: Annotated[str, typer.Option(help="Queue order, such as fcfs.")] = "fcfs",
    idle_power: Annotated[str, typer.Option(help="Power of an idle node.")] = "100 W",
    busy_power: Annotated[str, typer.Option(help="Power of a busy node.")] = "200 W",
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="none is written")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Replay a batch trace: the start of every job, and the energy."""
    idle_w, busy_w = _watts("--idle-power", idle_power), _watts("--busy-power", busy_power)
    if busy_w < idle_w:
        raise DcsimError(f"--busy-power: found '{busy_power}', want at least --idle-power, '{idle_power}'")
    if out is None:
        return _replay(trace, trace_format, policy, nodes, idle_w, busy_w, None, as_json=as_json)
    with claimed(out) as folder:
        return _replay(trace, trace_format, policy, nodes, idle_w, busy_w, folder, as_json=as_json)


def _replay(
    trace: Path,
    trace_format: str,
    policy: str,
    nodes: int,
    idle_w: float,
    busy_w: float,
    folder: Path | None,
    *,
    as_json: bool,
) -> int:
    from dcsim.sim.replay import replay

    result = replay(trace, format=trace_format, policy=policy, nodes=nodes, idle_power_w=idle_w, busy_power_w=busy_w)
    if folder is not None:
        run.save(result, folder)
    run.show(result, folder, report=False, as_json=as_json, quiet=False)
    return _INTERRUPTED if result.interrupted else 0


def _watts(option: str, text: str) -> float:
    try:
        watts = units.parse(text, "power")
    except units.UnitError as error:
        raise DcsimError(f"{option}: {error}") from None
    if watts < 0:
        raise DcsimError(f"{option}: found '{text}', want 0 W or more")
    return watts
