"""What the report needs of a result: the attributes of `dcsim.results.Result`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from dcsim.scenario.models import Scenario


class ResultLike(Protocol):
    """A finished run. Its tables have the columns of the run folder's files: times in s, powers in W."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """nested figures of `summary.json`; a figure without an answer is absent"""

    @property
    def jobs(self) -> pd.DataFrame:
        """one row per job"""

    @property
    def racks(self) -> pd.DataFrame:
        """one row per rack and meter interval"""

    @property
    def facility(self) -> pd.DataFrame:
        """one row per site and meter interval"""

    @property
    def scenario(self) -> Scenario:
        """the resolved scenario"""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """version, seed and origin of the run"""
