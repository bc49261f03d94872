"""Moments of the calendar in a scenario."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from dcsim.scenario.moments import Moment

MOMENT = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("text", "epoch_s"),
    [
        ("2022-10-06T22:00Z", 1665093600),
        ("2022-10-07T00:00:00+02:00", 1665093600),
        ("2022-10-06", 1665014400),
        (" 1970-01-01 ", 0),
    ],
)
def test_a_zone_counts_and_a_date_alone_is_utc(text: str, epoch_s: int) -> None:
    assert MOMENT.validate_python(text).timestamp() == epoch_s
    assert MOMENT.validate_json(MOMENT.dump_json(MOMENT.validate_python(text))).timestamp() == epoch_s


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("2022-10-06T22:00", "without a zone"),
        ("2022-13-06", "want a moment such as"),
        ("tomorrow", "want a moment such as"),
        (20221006, "want a moment such as"),
        ("1066-10-14", "found the year 1066"),
        ("2" * 5000, "want a moment such as"),
    ],
)
def test_anything_else_is_refused(value: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        MOMENT.validate_python(value)
