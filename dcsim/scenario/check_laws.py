"""Which keys each law of a scenario takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dcsim.scenario.laws import Times, Tokens
from dcsim.scenario.problems import Problem
from dcsim.scenario.shape import Path

_MEAN, _BOUNDS = ("mean",), ("least", "most")

#: Law -> keys that it needs, and keys that it may have besides. `trace` and `mix` are laws of given services.
KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fixed": (_MEAN, ()),
    "exponential": (_MEAN, _BOUNDS),
    "gamma": (("mean", "cv"), _BOUNDS),
    "weibull": (("mean", "cv"), _BOUNDS),
    "lognormal": (("mean", "cv"), _BOUNDS),
    "pareto": (("least", "shape"), ("most",)),
    "mixture": (("parts",), _BOUNDS),
    "table": (("table",), _BOUNDS),
    "mix": (("table",), ()),
    "trace": ((), ()),
}

_EXAMPLES = {"mean": "10 s", "cv": "1.5", "least": "1 s", "shape": "1.8"}


def problems(path: Path, law: Times | Tokens) -> Iterator[Problem]:
    """Keys that the law lacks, or that it does not take."""
    name = law.distribution
    needed, allowed = KEYS[name]
    for key in needed:
        if getattr(law, key) is None:
            example = f", such as {_EXAMPLES[key]}" if key in _EXAMPLES and isinstance(law, Times) else ""
            yield Problem(path, f"missing key '{key}', which distribution '{name}' needs{example}", 1)
    for key in ("mean", "cv", "shape", "least", "most", "parts", "table"):
        if key not in (*needed, *allowed) and getattr(law, key) is not None:
            having = ", ".join(f"'{other}'" for other, keys in KEYS.items() if key in keys[0] or key in keys[1])
            yield Problem((*path, key), f"distribution '{name}' has no {key}; {having} have")
    if law.least is not None and law.most is not None and law.least > law.most:
        yield Problem((*path, "least"), f"found {law.least:g}, want at most `most`, {law.most:g}")
    parts: Sequence[Times | Tokens] = law.parts or ()
    for number, part in enumerate(parts):
        if part.distribution == "mixture":
            yield Problem((*path, "parts", number, "distribution"), "found 'mixture' in a mixture, want its parts here")
        else:
            yield from problems((*path, "parts", number), part)
