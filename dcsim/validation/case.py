"""One case: a document with a `kind`, built in or from a file, and what is needed to check and run it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dcsim.errors import DcsimError

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e30, le=1e30)]
NonNegative = Annotated[Number, Field(ge=0.0)]
Positive = Annotated[Number, Field(gt=0.0)]
Model = TypeVar("Model", bound=BaseModel)


class CaseError(DcsimError):
    """A case that cannot be read: says which part, what was found and what is allowed."""


class Part(BaseModel):
    """Base of the parts of a case: types are not converted and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Heading(Part):
    """What every case may say about itself."""

    kind: str
    id: str = ""
    name: str = ""
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Case:
    """A document of a known kind. `folder` is where the files that it names are looked for first."""

    kind: str
    name: str
    body: Mapping[str, Any]
    folder: Path | None = None

    def read(self, model: type[Model]) -> Model:
        """The body as `model`; raises CaseError with the first thing that is wrong."""
        try:
            return model.model_validate(dict(self.body))
        except ValidationError as error:
            raise CaseError(explain(error)) from None

    def locate(self, name: str) -> Path:
        """File that the case names: beside the case, then under the folder that DCSIM_DATA names.

        Raises CaseError when it is nowhere, or when the name leads out of those folders.
        """
        data = os.environ.get("DCSIM_DATA")
        folders = [folder for folder in (self.folder, Path(data) if data else None) if folder is not None]
        for folder in folders:
            path = (folder / name).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise CaseError(f"file {name[:80]!r} leads out of the case's folder; name one beside it")
            if path.is_file():
                return path
        raise CaseError(f"file {name[:80]!r} is neither beside the case nor under the folder that DCSIM_DATA names")


@dataclass(frozen=True)
class Effort:
    """How much simulation a statistical case gets."""

    replications: int
    jobs: int
    """jobs per replication, after the warm-up"""
    light_jobs: int
    """the same for what varies little from job to job"""


#: for `dcsim validate` and the tests: about a minute for all queueing cases on one core
QUICK = Effort(replications=20, jobs=200_000, light_jobs=30_000)
#: for the long test run
FULL = Effort(replications=20, jobs=1_000_000, light_jobs=1_000_000)


@dataclass(frozen=True)
class Area:
    """A field of validation: the kinds of case that it understands and those that are built in."""

    name: str
    kinds: Mapping[str, Callable[[Case, Effort], Iterable[Any]]] = field(default_factory=dict)
    """kind -> function that gives the rows of one case"""
    builtin: Callable[[], Iterable[Case]] = tuple
    """cases that need no file"""


def explain(error: ValidationError) -> str:
    """First problem of a failed check in one line: where, what is wanted, what was found."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the case"
    found = repr(problem["input"])
    shown = found if len(found) <= 60 else found[:57] + "..."
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {problem['msg']}, found {shown}{more}"
