"""Moments that records write as text, one by one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

#: What a moment must look like.
WANTS = "a time such as 2017-10-07 01:12:09, year 1700 to 2199"
WANTS_ZONED = "a time with its zone such as 2024-05-01T12:00:00Z, year 1700 to 2199"

_MOMENT = re.compile(
    r"(?:1[7-9]|2[01])\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", flags=re.ASCII
)


def unix_s(text: object, local: ZoneInfo | None) -> float | None:
    """Seconds since 1970 in UTC; None for what is no moment, or for one without a zone where there is no `local` zone.

    Of a time that comes twice when clocks are put back, the first is meant.
    """
    if not isinstance(text, str):
        return None
    match = _MOMENT.fullmatch(text.strip())
    if match is None or (match[1] is None and local is None):
        return None
    try:
        moment = datetime.fromisoformat(match[0])
    except ValueError:  # a day or hour that does not exist
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=local)
    return moment.astimezone(UTC).timestamp()
