"""The glossary has every term, and the pages name no place that only the developers know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "mkdocs.yml", ROOT / "Makefile"]
TERMS = """arrival rate, service time, offered load, utilisation, wait, sojourn time, slowdown, goodput,
SLO attainment, TTFT, TPOT, ITL, JCT, PUE, ITUE, TUE, WUE, CUE, IT power, TDP, MTBF, MTTR, synaptic operation,
neuron update, spike, timestep, fan-in, barrier, replication, common random numbers, warm-up"""


@pytest.mark.parametrize("term", [term.strip() for term in TERMS.replace("\n", " ").split(",")])
def test_the_glossary_defines_each_term_once(term: str) -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    assert text.count(f"**{term.lower()}**") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_name_no_place_of_the_developers(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|root|home|tmp)/\w", text)
