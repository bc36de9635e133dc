"""Times as they stand in files."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now_utc() -> datetime:
    """The time of now, aware and in UTC."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """A time with its offset, six digits of a second: `2026-11-21T04:08:00.717802+00:00`."""
    return to_utc(at).isoformat(timespec="microseconds")


def iso_z(at: datetime) -> str:
    """A time as job records and documents hold it: `2026-11-21T04:08:00.717802Z`."""
    return iso(at).removesuffix("+00:00") + "Z"


def to_utc(at: datetime) -> datetime:
    """The same moment in UTC; a time without an offset is taken for UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def parse(text: str) -> datetime:
    """The moment that a text means, in UTC (also without an offset); ValueError when it is no time."""
    return to_utc(datetime.fromisoformat(text.strip()))


def from_iso(text: str) -> datetime | None:
    """
    The moment that a tag means, None when it is no time.

    Without an offset it is local time: so older programs wrote their tags.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def micros(at: datetime) -> int:
    """A time in microseconds since 1970, which are all of it."""
    return (at - _EPOCH) // _MICROSECOND


def of_micros(micros: int) -> datetime:
    """The time so many microseconds after 1970, in UTC."""
    return _EPOCH + micros * _MICROSECOND
