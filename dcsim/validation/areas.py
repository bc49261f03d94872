"""The areas of validation: one module each. A new area is one line here."""

from __future__ import annotations

from dcsim.errors import DcsimError, nearest
from dcsim.validation import catalog, chip, datacenter, facility, gpu, queueing, serving
from dcsim.validation.case import Area

_RUNNING = (queueing.AREA, datacenter.AREA, chip.AREA, gpu.AREA, serving.AREA, facility.AREA, catalog.AREA)
AREAS: dict[str, Area] = {area.name: area for area in _RUNNING}

#: areas whose cases can be recognised but not run: area -> kinds
PLANNED: dict[str, frozenset[str]] = {
    "scheduling": frozenset(
        {
            "backfill",
            "carbon_shift",
            "drf",
            "easy_nodes",
            "fgd",
            "gavel",
            "kubernetes_score",
            "ordering",
            "schedule_metrics",
            "swf_replay",
            "walltime_kill",
        }
    ),
    "reliability": frozenset(),
}


def names() -> list[str]:
    """Every area that can be named, those that run first."""
    return [*AREAS, *PLANNED]


def area_of(kind: str) -> str | None:
    """Area whose cases have this kind; None when no area knows it."""
    for name, area in AREAS.items():
        if kind in area.kinds:
            return name
    return next((name for name, kinds in PLANNED.items() if kind in kinds), None)


def check_names(wanted: list[str]) -> None:
    """Raise DcsimError for a name that is no area."""
    for name in wanted:
        if name not in names():
            raise DcsimError(f"validate: found area {name[:60]!r}{nearest(name, names())}")


def known_kinds() -> list[str]:
    """Every kind that some area knows."""
    return sorted({kind for area in AREAS.values() for kind in area.kinds}.union(*PLANNED.values()))
