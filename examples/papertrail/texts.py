"""From the bytes of a file to its text: plain text, HTML, workbooks, mail and PDF."""

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from lakehouse_assets.mapping.encodings import detect_encoding

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook
    from selectolax.lexbor import LexborHTMLParser

MOST_CHARACTERS = 20_000_000
"""The text of a document is held in memory; what comes beyond this is left out."""

_MOST_UNPACKED = 1 << 30
_MOST_ROWS = 1_048_576
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Unreadable(Exception):
    """A file is damaged, locked, or too large when it is unpacked; trying again would change nothing."""


@dataclass(frozen=True)
class Text:
    """What a document says: values of its properties, and the text of its pages where it has any."""

    properties: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pages: Sequence[str] = ()


def read_text(stream: BinaryIO, mimetype: str) -> Text:
    """
    The text of a document; Unreadable when it is damaged, or of a type that has none.

    Example:
        >>> read_text(io.BytesIO("Señor".encode("latin-1")), "text/plain").properties
        {'bodyText': ['Señor']}
    """
    read = _reader(mimetype)
    if read is None:
        msg = f"there is no text in a file of type {mimetype}"
        raise Unreadable(msg)
    with _readable():
        return read(stream)


def is_readable(mimetype: str) -> bool:
    """Whether documents of this type have a text that can be read."""
    return _reader(mimetype) is not None


def text_of_html(html: str) -> str:
    """What a browser would show of a page, without its scripts."""
    return _shown(_parsed(html))


def decoded(stream: BinaryIO) -> str:
    """The text in a file, whatever its encoding; what does not fit into it is replaced."""
    encoding = detect_encoding(stream)
    stream.seek(0)
    # no encoding takes more than four bytes for a character
    return stream.read(4 * MOST_CHARACTERS).decode(encoding, errors="replace")[:MOST_CHARACTERS]


def _reader(mimetype: str) -> Callable[[BinaryIO], Text] | None:
    match mimetype:
        case "text/html" | "application/xhtml+xml":
            return _read_html
        case "message/rfc822":
            # mail has HTML in it, too
            from papertrail.mail import read_mail

            return read_mail
        case "application/pdf":
            return _read_pdf
        case kind if kind == _XLSX:
            return _read_workbook
        case "application/json" | "application/xml" | "application/x-ndjson":
            return _read_plain
        case kind if kind.startswith("text/") and kind != "text/rtf":
            return _read_plain
    return None


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError, Unreadable):
        # of a store or a machine in trouble another try may make more
        raise
    except Exception as exc:
        # whatever the parsers of five formats raise about a file that is damaged
        msg = f"{type(exc).__name__}: {exc}"
        raise Unreadable(msg) from exc


def _read_plain(stream: BinaryIO) -> Text:
    return Text(_body(decoded(stream)))


def _read_html(stream: BinaryIO) -> Text:
    page = _parsed(decoded(stream))
    title = page.css_first("title")
    found = {"title": [title.text(strip=True)]} if title is not None else {}
    return Text({**found, **_body(_shown(page))})


def _parsed(html: str) -> "LexborHTMLParser":
    # parsers are loaded where they are met: most files need one of them, or none
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(html)


def _shown(page: "LexborHTMLParser") -> str:
    page.strip_tags(["script", "style", "template", "noscript"])
    return page.body.text(separator="\n", strip=True)[:MOST_CHARACTERS] if page.body is not None else ""


def _read_pdf(stream: BinaryIO) -> Text:
    from pypdf import PdfReader

    file = PdfReader(stream)
    if file.is_encrypted and not file.decrypt(""):
        msg = "it is locked with a password"
        raise Unreadable(msg)
    pages: list[str] = []
    left = MOST_CHARACTERS
    for page in file.pages:
        text = page.extract_text()[:left]
        pages.append(text)
        left -= len(text)
    about = file.metadata
    said = {"title": about.title, "author": about.author} if about is not None else {}
    return Text({name: [value] for name, value in said.items() if value}, pages)


def _read_workbook(stream: BinaryIO) -> Text:
    import openpyxl

    with zipfile.ZipFile(stream) as parts:
        if sum(part.file_size for part in parts.infolist()) > _MOST_UNPACKED:
            msg = f"it unpacks to more than {_MOST_UNPACKED >> 30} GB"
            raise Unreadable(msg)
    stream.seek(0)
    # row by row, and with what a formula came to
    book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    lines: list[str] = []
    left = MOST_CHARACTERS
    for line in _lines(book):
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    book.close()
    return Text(_body("\n".join(lines)))


def _lines(book: "Workbook") -> Iterator[str]:
    """The title of each sheet, and its rows with their cells parted by tabs."""
    for sheet in book.worksheets:
        yield sheet.title
        # what a sheet says of its size may be anything
        sheet.reset_dimensions()
        for row in islice(sheet.iter_rows(values_only=True), _MOST_ROWS):
            line = "\t".join("" if cell is None else str(cell) for cell in row).rstrip()
            if line:
                yield line


def _body(text: str) -> dict[str, list[str]]:
    text = text.replace("\r\n", "\n").strip()
    return {"bodyText": [text]} if text else {}
