"""Values of tables as followthemoney's mapping takes them, and an import after it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lakehouse_assets.model.cleaning import Remembered, sanitized, unchanged
from lakehouse_assets.storage.sql import Sql

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.types.common import PropertyType

# types that read a value in the way that a format says
_FORMATTED = {"date", "identifier", "phone"}

# cleaning one again changes nothing, and takes as long
_PHONE = "phone"


@dataclass(frozen=True)
class Rule:
    """How the values of a property are cleaned."""

    kind: str
    fuzzy: bool = False
    format: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it does what cleaning always does."""
        return self.format is None or self.kind not in _FORMATTED


class TableCleaner:
    """Cleans cells and values; each distinct one once, while it is remembered. `con` hashes whole columns."""

    def __init__(self) -> None:
        self.sql = Sql()
        self._cells = Remembered(_sanitize)
        self._rules: dict[Rule, Remembered] = {}
        self._again: dict[str, Remembered] = {}

    def cells(self, column: "pl.Series") -> "pl.Series":
        """A column as a mapping reads it: composed, trimmed, without control characters; null where nothing is left."""
        return self._cells.apply(column, sanitized(column).fill_null(True))

    def values(self, values: "pl.Series", rule: Rule) -> "pl.Series":
        """
        Values in their clean form: null where one is rejected.

        A text that the mapping takes though nothing is left of it is an empty one: it counts as given.
        """
        import polars as pl

        if rule not in self._rules:
            self._rules[rule] = Remembered(_mapped(rule))
        same = unchanged(rule.kind, values) if rule.is_plain else pl.repeat(False, len(values), eager=True)
        return self._rules[rule].apply(values, same)

    def again(self, values: "pl.Series", kind: str) -> "pl.Series":
        """Values that were cleaned before and become those of another property."""
        if kind not in self._again:
            self._again[kind] = Remembered(lambda text: _type(kind).clean(text) or None)
        return self._again[kind].apply(values, unchanged(kind, values))


def _mapped(rule: Rule) -> Callable[[str], str | None]:
    """What the mapping makes of a value, and then the import, which cleans without a format."""

    def clean(text: str) -> str | None:
        type_ = _type(rule.kind)
        mapped = type_.clean_text(text, fuzzy=rule.fuzzy, format=rule.format)
        if mapped is None or rule.kind == _PHONE:
            return mapped
        return type_.clean(mapped) or ""

    return clean


def _sanitize(text: str) -> str | None:
    from followthemoney.util import sanitize_text

    return sanitize_text(text)


@cache
def _type(kind: str) -> "PropertyType":
    from followthemoney.types import registry

    return registry.get(kind)
