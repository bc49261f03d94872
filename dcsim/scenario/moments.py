"""Moments of the calendar in a scenario."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from dcsim.units import shown

_EXAMPLES = ["2022-10-06T22:00Z", "2022-10-07T00:00+02:00", "2022-10-06"]
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def _read(value: object) -> datetime:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and len(value) <= 40:
        text = value.strip()
        try:
            moment = datetime.fromisoformat(text)
            if len(text) == len("2022-10-06") and date.fromisoformat(text):
                moment = moment.replace(tzinfo=UTC)
        except ValueError:
            raise ValueError(_wants(value)) from None
    else:
        raise ValueError(_wants(value))
    if moment.tzinfo is None:
        raise ValueError(f"found {shown(value)} without a zone, want one behind it such as Z (UTC) or +02:00")
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise ValueError(f"found the year {moment.year}, want {_FIRST_YEAR} to {_LAST_YEAR - 1}")
    return moment


def _wants(value: object) -> str:
    return f"found {shown(value)}, want a moment such as {' or '.join(_EXAMPLES)}"


def _write(moment: datetime) -> str:
    return moment.isoformat()


#: A moment with its zone; a date alone is its first moment in UTC.
Moment = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(_write, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": _EXAMPLES}),
]
