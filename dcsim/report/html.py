"""The report of a run: one HTML file with everything in it, which loads and runs nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from dcsim.errors import DcsimError
from dcsim.report import figures, series, style, svg, tables, words
from dcsim.report.kinds import ResultLike
from dcsim.report.series import Series

MOST_YAML_CHARACTERS = 200_000


def page(result: ResultLike) -> str:
    """The report as one HTML document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dcsim.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html").render(_context(result))


def write_html(result: ResultLike, path: Path | str) -> Path:
    """Write the report to `path` and return it. DcsimError when it cannot be written."""
    target = Path(path)
    text = page(result)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DcsimError(f"{target}: cannot write the report ({error.strerror or error})") from error
    return target


def _context(result: ResultLike) -> dict[str, Any]:
    summary, numbers = result.summary, series.of(result)
    return {
        "scenario": result.scenario,
        "facts": _facts(result),
        "cards": tables.cards(summary),
        "findings": findings(numbers),
        "figures": [_figure(numbers, name) for name in figures.ALL],
        "streams": tables.streams(summary),
        "tokens": tables.tokens(summary),
        "energy": tables.energy(summary),
        "footprint": tables.footprint(summary),
        "pools": tables.pools(summary),
        "sites": tables.sites(summary),
        "trust": tables.trust(summary),
        "warnings": tables.warnings(summary),
        "yaml": _yaml(result),
        "light": svg.variables({colour: colour for colour in style.DARK}),
        "dark": svg.variables(style.DARK),
    }


def _facts(result: ResultLike) -> list[tuple[str, str]]:
    """Small print of the header: what is known of duration, seed, version and speed."""
    run = words.find(result.summary, "run")
    seed = result.manifest.get("seed", words.find(run, "seed"))
    version = result.manifest.get("version") or words.find(run, "version")
    speed = words.cell(words.find(run, "jobs_per_wall_s"), lambda value: f"{words.three(value)} jobs/s")
    rows = [
        ("simulated", words.seconds(float(result.scenario.duration))),
        ("seed", None if seed is None else str(seed)),
        ("dcsim", None if version is None else str(version)),
        ("speed", speed and speed.text),
    ]
    return [(label, text) for label, text in rows if text]


def findings(numbers: Series) -> list[tuple[str, str]]:
    """(stream, sentence) of streams that ran on both families: how much of a chip's advantage is left."""
    sentences = []
    for stream, (gpu, other) in series.on_both_families(numbers.energy).items():
        chip = series.advantage(gpu, other, "marginal", "chip")
        facility = series.advantage(gpu, other, "loaded", "facility")
        if chip is not None and facility is not None:
            text = (
                f"a job on neuromorphic hardware took {words.less_or_more(chip)} energy than on GPUs "
                f"at the chip (marginal), {words.less_or_more(facility)} at the facility (loaded)."
            )
            sentences.append((stream, text))
    return sentences


def _figure(numbers: Series, name: str) -> dict[str, Any]:
    """The figure in a wide and a narrow drawing; the page shows the one that fits."""
    from markupsafe import Markup

    figure, caption = figures.ALL[name], figures.caption(name, numbers)
    drawings = {}
    for shape, narrow in (("wide", False), ("narrow", True)):
        size = figures.size_in(figure, numbers, narrow=narrow)
        drawings[shape] = Markup(svg.drawn(partial(figure, numbers), size, f"{name}-{shape}", caption))
    return {"name": name, "caption": caption, **drawings}


def _yaml(result: ResultLike) -> str:
    """The resolved scenario as YAML, with units, cut where it is very long."""
    from dcsim import scenario

    text = scenario.dump(result.scenario)
    if len(text) > MOST_YAML_CHARACTERS:
        return text[:MOST_YAML_CHARACTERS] + "\n# cut here; scenario.yaml in the run folder is whole\n"
    return text
