"""How far a long operation is, as lines of a run's log."""

import time

import dagster as dg

_SECONDS = 2.0
_SHARE = 0.05
_LONGEST_SILENCE = 60.0


class LogProgress:
    """
    Writes a line every 2 s at most, and then only when another 5 % are done or a minute went by.

    A line costs some 15 ms in the event log, so work that is over quickly says nothing.
    """

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._started = self._said_at = time.monotonic()
        self._said = 0.0

    def __call__(self, done: int, pending: int, unit: str) -> None:
        """Take note of how far the work is."""
        now = time.monotonic()
        silence = now - self._said_at
        total = done + pending
        share = done / total if total else 0.0
        if silence < _SECONDS or (0 <= share - self._said < _SHARE and silence < _LONGEST_SILENCE):
            return
        rate = done / (now - self._started)
        self._said_at, self._said = now, share
        self._log.info(f"{done:,} of {total:,} {unit} ({share:.0%}), {rate:,.0f} a second")
