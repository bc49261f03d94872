"""The table on the terminal: whole numbers at 80 and 120 columns, nothing that the run does not have."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from dcsim.report import summary_table


def printed(result: Any, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(summary_table(result))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_is_whole(day: Any, width: int) -> None:
    text = printed(day, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    chat = next(line for line in lines if line.startswith("chat"))
    assert chat.split()[:4] == ["chat", "2,970", "98.7", "%"]
    assert "6.19 s" in chat
    assert "nightly-training" in text
    assert "spinnaker2" in text
    for figure in ("8,971", "99.6 %", "1.17 MWh", "1.220", "402 kg to 438 kg", "$1,224", "per 1,000 jobs"):
        assert figure in " ".join(text.split())
    assert lines[-1].rstrip() == "warning: 2 jobs were still running when the run ended"


def test_large_figures_and_long_names_fit_in_80_columns(make: Callable[..., Any]) -> None:
    run = make()
    name = "a-stream-of-jobs-with-quite-a-long-name"
    run.summary["streams"][name] = run.summary["streams"]["kws"] | {
        "completed": 123_456_789,
        "slo_attainment": 0.999983,
    }
    text = printed(run, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "123,456,789" in text
    assert "99.998 %" in text
    assert "26.9 mJ" in text


def test_names_are_no_markup(make: Callable[..., Any]) -> None:
    run = make()
    run.summary["streams"]["[red]x[/red]"] = run.summary["streams"].pop("kws")
    run.summary["trust"]["warnings"] = ["[bold]odd[/bold]"]
    text = printed(run, 120)
    assert "[red]x[/red]" in text
    assert "warning: [bold]odd[/bold]" in text


def test_what_the_summary_lacks_is_not_in_the_table(make: Callable[..., Any]) -> None:
    run = make()
    for key in ("carbon", "cost", "water", "efficiency", "pools"):
        del run.summary[key]
    for stream in run.summary["streams"].values():
        del stream["energy_j_per_job"]
        stream.pop("slo_attainment", None)
    text = printed(run, 80)
    for absent in (
        "carbon",
        "cost",
        "water",
        "PUE",
        "pool",
        "energy per job",
        "marginal",
        "met",
        "nan",
        "None",
    ):
        assert absent not in text, absent
    assert "latency" in text


def test_an_empty_summary_prints_nothing(make: Callable[..., Any]) -> None:
    run = make()
    run.summary = {}
    assert printed(run, 80).strip() == ""
