"""
Which values followthemoney's cleaning leaves alone, told for whole columns.

Most values are clean already. Patterns that say yes only where followthemoney would change nothing find them; all
others are asked about, each distinct one once.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_REMEMBERED = 200_000
"""Answers kept by one function from block to block, about 40 MB."""

# white space and control characters of any kind, but not the plain space
_ODD = r"[\p{C}\p{Z}&&[^ ]]"
_TIDY = r"^[^ \"'](.*[^ \"'])?$"
_TRIMMED = r"^[^ ](.*[^ ])?$"

PLAIN: dict[str, str | None] = {
    "string": None,
    "text": None,
    "html": None,
    "identifier": None,
    "checksum": None,
    "json": None,
    "number": None,
    "name": r"  ",
    "address": r"(?i)  |;|<br|esq[.,]|, ?[,.]",
}
"""Types whose cleaning leaves tidy text alone, with what else would make it change something."""

_LABEL = r"[a-z0-9](?:-?[a-z0-9]){0,20}"
_HOST = rf"(?:{_LABEL}\.){{1,4}}[a-z]{{2,20}}"
_URL_TEXT = r"[A-Za-z0-9._~%+=&,:@!$()*/\-]"

CLEAN = {
    "entity": r"^[0-9a-zA-Z]([0-9a-zA-Z.\-]*[0-9a-zA-Z])?$",
    "date": r"^[12][0-9]{3}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|1[0-9]|2[0-8]))?"
    r"|-(?:0[13-9]|1[0-2])-(?:29|30)|-(?:0[13578]|1[02])-31)?$",
    "url": rf"^https?://{_HOST}/{_URL_TEXT}*(?:\?{_URL_TEXT}+)?(?:#{_URL_TEXT}+)?$",
    "email": rf"^[A-Za-z0-9._%+\-]{{1,64}}@{_HOST}$",
}
"""Values of the other types that are surely clean; narrower than what followthemoney leaves alone."""


def unchanged(kind: str, values: "pl.Series") -> "pl.Series":
    """Values that cleaning, without a format of its own, is sure to leave as they are."""
    import polars as pl

    if kind in CLEAN:
        return values.str.contains(CLEAN[kind])
    if kind not in PLAIN:
        return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    tidy = values.str.contains(_TIDY)
    trouble = PLAIN[kind]
    if trouble is not None:
        tidy &= ~values.str.contains(trouble)
    return tidy & _plain_text(values)


def sanitized(values: "pl.Series") -> "pl.Series":
    """Values that followthemoney takes from a table as they are: nothing odd in them, nothing to trim."""
    return values.str.contains(_TRIMMED) & _plain_text(values)


def _plain_text(values: "pl.Series") -> "pl.Series":
    """Texts without control characters or odd spaces, composed as far as they can be."""
    even = ~values.str.contains(_ODD)
    if values.str.len_bytes().sum() == values.str.len_chars().sum():
        return even
    return even & (values.str.normalize("NFC") == values)


class Remembered:
    """
    A function of texts that is asked once for each distinct one.

    Example:
        >>> upper = Remembered(str.upper)
        >>> upper.apply(pl.Series(["a", "B", "a"]), pl.Series([False, True, False])).to_list()
        ['A', 'B', 'A']
    """

    def __init__(self, function: Callable[[str], str | None]) -> None:
        self._function = function
        self._known: dict[str, str | None] = {}

    def apply(self, values: "pl.Series", same: "pl.Series") -> "pl.Series":
        """The values by what the function makes of them; those that are the `same` are not asked about."""
        import polars as pl

        rest = values.filter(~same).unique().drop_nulls()
        if not len(rest):
            return values
        answers = pl.Series(self._answers(rest.to_list()), dtype=pl.String)
        table = pl.DataFrame({"text": rest, "answer": answers})
        found = values.alias("text").to_frame().join(table, on="text", how="left", maintain_order="left")
        return values.zip_with(same.fill_null(False), found["answer"].alias(values.name))

    def _answers(self, texts: list[str]) -> list[str | None]:
        known = self._known
        if len(known) > _REMEMBERED:
            known.clear()
        for text in texts:
            if text not in known:
                known[text] = self._function(text)
        return [known[text] for text in texts]
