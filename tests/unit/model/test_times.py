from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakehouse_assets.model.times import from_iso, iso, iso_z, parse

AT = datetime(2026, 11, 21, 4, 8, 0, 717802, tzinfo=UTC)


def test_times_are_written_in_utc_with_six_digits() -> None:
    assert iso(AT) == "2026-11-21T04:08:00.717802+00:00"
    assert iso_z(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-11-21T04:08:00.717802Z"
    assert iso(AT.replace(microsecond=0, tzinfo=None)) == "2026-11-21T04:08:00.000000+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T04:08:00.717802+00:00",
        "2026-11-21T04:08:00.717802Z",
        "2026-11-21 04:08:00.717802Z",
        "2026-11-21T05:08:00.717802+01:00",
        "2026-11-21T04:08:00.717802",
    ],
)
def test_every_style_is_read(text: str) -> None:
    assert parse(text) == AT


def test_no_time_is_none_or_refused() -> None:
    assert from_iso("soon") is None
    with pytest.raises(ValueError, match="soon"):
        parse("soon")
