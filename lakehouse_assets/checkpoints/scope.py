"""How long a checkpoint is of use."""

from enum import StrEnum


class CheckpointScope(StrEnum):
    """Who reads a checkpoint again."""

    RUN = "run"
    """Only the run that put it."""

    CORRELATION = "correlation"
    """All runs of one correlation, as a run and its re-executions."""
