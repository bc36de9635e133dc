"""Times on the command line."""

from datetime import datetime

import typer

from lakehouse_assets.model import times


def moment(text: str) -> datetime:
    """
    A time: `2026-11-21`, `2026-11-21T08:30`, `2026-11-21T08:30:00+01:00`; without an offset it is UTC.

    Anything else is wrong usage.
    """
    try:
        return times.parse(text)
    except (ValueError, OverflowError) as exc:
        msg = f"not a time: {text!r}; write 2026-11-21 or 2026-11-21T08:30:00Z"
        raise typer.BadParameter(msg) from exc
