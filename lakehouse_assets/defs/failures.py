"""Errors of the lake as Dagster shows them."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse_assets.errors import AssertionFailed, Conflict, Diverged, LakehouseError, Locked

RETRY = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For what another writer stood in the way of."""


@contextmanager
def explained() -> Iterator[None]:
    """Fail with the error's message in front; only what may go well the next time is tried again."""
    try:
        yield
    except LakehouseError as exc:
        # what both sides changed stays so until somebody says what is to count
        may_pass = isinstance(exc, Conflict | Locked) and not isinstance(exc, Diverged)
        metadata: dict[str, dg.MetadataValue] = {"error": dg.MetadataValue.text(type(exc).__name__)}
        if isinstance(exc, AssertionFailed):
            listed = "\n".join(f"- {failure}" for failure in exc.failures)
            metadata["failed_assertions"] = dg.MetadataValue.md(listed)
        raise dg.Failure(description=str(exc), metadata=metadata, allow_retries=may_pass) from exc
