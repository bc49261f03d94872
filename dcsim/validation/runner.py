"""Behind `dcsim validate`: which cases run, in which order, and what becomes of those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dcsim.errors import DcsimError, nearest
from dcsim.validation.areas import AREAS, PLANNED, area_of, check_names, known_kinds
from dcsim.validation.case import QUICK, Case, Effort
from dcsim.validation.files import Broken, read_folder
from dcsim.validation.report import Report, Row

Progress = Callable[[str, str], None]


def run(
    areas: Sequence[str] = (),
    cases: Path | None = None,
    strict: bool = False,
    *,
    effort: Effort = QUICK,
    progress: Progress | None = None,
) -> Report:
    """Run the built-in cases of the named areas (all when none is named) and the files under `cases`.

    `progress(area, case)` is called before each case. Raises DcsimError for an unknown area or a missing
    folder; a file that cannot be understood becomes a row instead:

    - a file that is no readable JSON, or whose case misses or mistypes something, is `failed`;
    - a case of an area that was not named is left out;
    - a case of an area that does not run yet, of a kind that no area knows, or a document without a kind is
      `skipped`; `failed` when areas were named, because it is or may be of one of them.
    """
    named = list(dict.fromkeys(areas))
    check_names(named)
    found = read_folder(cases) if cases is not None else []
    rows: list[Row] = []
    for name in named or AREAS:
        rows += _area_rows(name, found, effort, progress)
    rows += _unassigned(found, named)
    if cases is not None and not found:
        rows.append(Row("-", str(cases), "-", "failed", note="found no JSON file, so none of its cases ran"))
    return Report(rows, strict=strict)


def _area_rows(name: str, found: Sequence[Case | Broken], effort: Effort, progress: Progress | None) -> Iterator[Row]:
    own = [item for item in found if isinstance(item, Case) and area_of(item.kind) == name]
    if name in PLANNED:
        yield from (Row(name, case.name, case.kind, "failed", note=f"area {name} cannot run cases yet") for case in own)
        if not own:
            yield Row(name, "-", "-", "skipped", note=f"area {name} has no cases yet")
        return
    area = AREAS[name]
    for case in [*area.builtin(), *own]:
        if progress is not None:
            progress(name, case.name)
        yield from _case_rows(name, case, effort)


def _case_rows(area: str, case: Case, effort: Effort) -> Iterator[Row]:
    try:
        yield from AREAS[area].kinds[case.kind](case, effort)
    except (DcsimError, OverflowError, MemoryError) as error:
        yield Row(area, case.name, case.kind, "failed", note=str(error) or type(error).__name__)


def _unassigned(found: Sequence[Case | Broken], named: Sequence[str]) -> Iterator[Row]:
    """Rows of what no running area took: broken files, unknown kinds, areas to come (when none is named)."""
    for item in found:
        if isinstance(item, Broken):
            status = "skipped" if item.foreign and not named else "failed"
            yield Row("-", item.name, "-", status, note=item.reason)
            continue
        area = area_of(item.kind)
        if area is None:
            hint = nearest(item.kind, known_kinds())
            yield Row(
                "-",
                item.name,
                item.kind,
                "failed" if named else "skipped",
                note=f"kind {item.kind!r} is of no area{hint}",
            )
        elif area in PLANNED and not named:
            yield Row(area, item.name, item.kind, "skipped", note=f"area {area} cannot run cases yet")
