"""The page: one file, nothing from outside, every name escaped, no figure that the run does not have."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import DcsimError
from dcsim.report import page, style, write_html

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'{{ 7 * 7 }}"


class Reader(HTMLParser):
    """Tags, attributes and visible words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in ("style", "pre"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside and data.strip():
            self.words.append(data.strip())


def without_tables(run: Any) -> Any:
    """The same run with empty tables: its figures are quick to draw."""
    run.jobs, run.racks, run.facility = run.jobs.iloc[:0], run.racks.iloc[:0], run.facility.iloc[:0]
    return run


@pytest.fixture(scope="module")
def text(day: Any) -> str:
    return page(day)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_the_answer_stands_first(read: Reader, day: Any) -> None:
    words = read.words
    facility = f"{day.summary['energy']['facility_kwh'] / 1e3:.3g} MWh"
    for label, value in [
        ("jobs done", "8,971"),
        ("SLO attainment", "99.6 %"),
        ("facility energy", facility),
        ("PUE", "1.220"),
        ("cost", "$1,224"),
    ]:
        assert words[words.index(label) + 1] == value
    assert words.index("jobs done") < words.index("Power by rack group, kW") < words.index("Streams")
    carbon = words.index("carbon, CO₂e")
    assert re.fullmatch(r"\d+ kg", words[carbon + 1])
    assert re.fullmatch(r"\d+ kg to \d+ kg", words[carbon + 2])
    assert any(line.startswith(": a job on neuromorphic hardware took") for line in words)


def test_the_caption_says_when_no_stream_ran_on_both(make: Callable[..., Any], text: str) -> None:
    run = without_tables(make())
    assert "no stream ran on both GPUs and neuromorphic hardware." in page(run)
    assert "no stream ran on both" not in text


def test_header_names_the_run(read: Reader) -> None:
    assert {"hybrid_pilot", "24 h", "7", "0.1.0"} <= set(read.words)
    assert read.words[0] == "hybrid_pilot · dcsim report"


def test_all_figures_are_inside_wide_and_narrow(text: str, read: Reader) -> None:
    assert read.tags.count("figure") == 3
    assert read.tags.count("svg") == 6
    assert read.tags.count("figcaption") == 3
    for title in (
        "Power by rack group, kW",
        "Latency: share of jobs done in time",
        "Energy per job by boundary",
    ):
        assert read.words.count(title) == 2
    assert "cut here" not in text


def test_nothing_comes_from_outside(text: str, read: Reader) -> None:
    assert re.search(r"https?:|//[a-z]|@import|<link|<script|<iframe|<object", text) is None
    assert re.findall(r"url\((?!#)", text) == []
    links = [value for name, value in read.attributes if name in ("href", "src", "xlink:href", "action")]
    assert links
    assert all(value.startswith("#") for value in links)
    assert "default-src 'none'" in text


def test_ids_are_unique_and_references_resolve(text: str, read: Reader) -> None:
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="|url\()#([^")]+)', text)
    assert set(references) <= set(ids)


def test_every_colour_of_the_figures_has_one_for_the_night(text: str) -> None:
    figures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert [re.findall(r"#[0-9a-f]{6}\b(?!-)", figure) for figure in figures] == [[]] * 6
    used = {name for figure in figures for name in re.findall(r"var\(--f([0-9a-f]{6})\)", figure)}
    assert used <= {colour[1:] for colour in style.DARK}
    assert len(used) > 8
    for colour, dark in style.DARK.items():
        assert f"--f{colour[1:]}:{colour};" in text
        assert f"--f{colour[1:]}:{dark};" in text


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_in_figures_can_be_read_by_day_and_by_night() -> None:
    """WCAG contrast of at least 4.5 for every colour that words are written in."""
    for light in (style.INK, style.MUTED, *style.STREAMS):
        for colour, back in ((light, style.PAPER), (style.DARK[light], style.DARK[style.PAPER])):
            bright, dim = sorted((_luminance(colour), _luminance(back)), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, colour


def test_tables_have_streams_pools_sites_and_trust(read: Reader) -> None:
    words = set(read.words)
    assert {"Streams", "Language-model streams", "Energy per job", "Pools", "Sites"} <= words
    assert {"chat", "kws", "spinnaker2", "north", "6.19 s", "98.7 %", "44.0 %", "WUE with source"} <= words
    assert {"2 jobs were still running when the run ended", "18.0 %", "27.0 %"} <= words
    assert {"chip", "board", "node", "rack", "facility"} <= words


def test_the_resolved_scenario_is_there_with_units(text: str) -> None:
    assert re.search(r"<details>.*name: hybrid_pilot\n.*duration: 1 d\n.*</details>", text, re.DOTALL)


def test_hostile_names_are_shown_and_not_run(make: Callable[..., Any]) -> None:
    run = make()
    run.scenario = run.scenario.model_copy(update={"name": HOSTILE, "description": HOSTILE})
    run.jobs["stream"] = run.jobs["stream"].replace("kws", HOSTILE)
    run.racks["group"] = run.racks["group"].replace("gpu", HOSTILE)
    run.summary["streams"][HOSTILE] = run.summary["streams"].pop("kws")
    run.summary["pools"][HOSTILE] = run.summary["pools"].pop("h100")
    run.summary["sites"][HOSTILE] = run.summary["sites"].pop("north")
    run.summary["trust"]["warnings"] = [HOSTILE]
    run.manifest |= {"version": HOSTILE, "seed": HOSTILE}
    text = page(run)
    read = Reader(text)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "49" not in {word.strip() for word in read.words}
    assert sum(HOSTILE in word for word in read.words) >= 8


def test_what_the_summary_lacks_is_not_on_the_page(make: Callable[..., Any]) -> None:
    run = without_tables(make())
    for block in (run.summary, run.summary["sites"]["north"]):
        for key in ("carbon", "cost", "water", "efficiency"):
            del block[key]
    del run.summary["trust"]["estimate_share"]
    for stream in run.summary["streams"].values():
        for key in (
            "ttft_s",
            "tpot_s",
            "goodput_per_s",
            "carbon_g_per_job",
            "water_ml_per_job",
            "cost_usd_per_job",
        ):
            stream.pop(key, None)
        del stream["energy_j_per_job"]["board"]
    run.summary["jobs"]["slo_attainment"] = float("nan")
    words = " ".join(Reader(page(run)).words)
    for absent in (
        "carbon",
        "CO₂e",
        "$",
        "water",
        "PUE",
        "WUE",
        "first token",
        "within SLO",
        "estimates",
        "board ",
        "SLO attainment",
    ):
        assert absent not in words, absent
    assert re.search(r"\b(nan|None|inf)\b", words) is None


def test_a_run_with_nothing_in_it_still_has_a_page(make: Callable[..., Any]) -> None:
    run = without_tables(make())
    run.summary, run.manifest = {}, {}
    read = Reader(page(run))
    assert {"table", "dd"}.isdisjoint(read.tags)
    assert "No job was completed in this run." in read.words


def test_replicated_figures_show_their_intervals(make: Callable[..., Any]) -> None:
    run = without_tables(make())
    run.summary["efficiency"]["pue"] = {"mean": 1.22, "low": 1.21, "high": 1.23, "level": 0.95, "n": 5}
    run.summary["streams"]["chat"]["latency_s"]["p99"] = {"mean": 36.0, "low": 33.0, "high": 39.0}
    words = Reader(page(run)).words
    assert words[words.index("PUE") + 1 : words.index("PUE") + 3] == ["1.220", "1.210 to 1.230"]
    assert "33 s to 39 s" in words


def test_the_same_run_gives_the_same_page(day: Any, text: str) -> None:
    assert page(day) == text


def test_write_makes_the_folder_and_says_where(make: Callable[..., Any], tmp_path: Path) -> None:
    run = without_tables(make())
    path = tmp_path / "new" / "report.html"
    assert write_html(run, path) == path
    assert path.read_text(encoding="utf-8") == page(run)


def test_a_path_that_cannot_be_written_is_one_clear_line(make: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DcsimError, match=r"file/report\.html: cannot write the report") as caught:
        write_html(without_tables(make()), tmp_path / "file" / "report.html")
    assert "\n" not in str(caught.value)
