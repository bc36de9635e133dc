"""What checks find, in a form that people and programs read alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["WARN", "ERROR"]
Metadata = Mapping[str, int | float | str]
Row = Mapping[str, int | float | str]
"""A row of a table; all rows of one have the same columns."""


@dataclass(frozen=True)
class Finding:
    """Whether all is well; `metadata` has the numbers that say so, `table` what they are made up of."""

    passed: bool
    metadata: Metadata = field(default_factory=dict)
    table: Sequence[Row] = ()


@dataclass(frozen=True)
class CheckResult:
    """
    What a check of an asset found; `metadata` has the numbers that it compared, `table` each thing by itself.

    `mend` says what helps, with the command if there is one; empty where all is well.
    """

    asset: str
    check: str
    passed: bool
    severity: Severity
    metadata: Metadata = field(default_factory=dict)
    table: Sequence[Row] = ()
    mend: str = ""
