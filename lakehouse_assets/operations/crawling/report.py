"""What a crawl leaves to read: what it saw, and by name what it did not get."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.location import Location

_NUMBERS = ("seen", "stored", "known", "errors", "bytes", "renamed", "left_out")
_HELD = 1 << 20
_COPIED = 1 << 20

Kind = Literal["failed", "renamed", "left_out"]
_KINDS: tuple[Kind, ...] = ("failed", "renamed", "left_out")


@dataclass
class Counts:
    """
    How many files of a source were seen, and what became of them.

    Each one seen is stored, known, skipped by a filter or failed. `errors` counts those that failed, and folders and
    links besides that could not be looked into. `renamed` could not keep their path in the archive, `left_out` are
    links and the like.
    """

    seen: int = 0
    stored: int = 0
    known: int = 0
    errors: int = 0
    bytes: int = 0
    renamed: int = 0
    left_out: int = 0
    skipped_by: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> int:
        """How many files a filter kept out."""
        return self.skipped_by.total()

    def add(self, other: "Counts") -> None:
        """Count the files of another source, too."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.skipped_by.update(other.skipped_by)

    def numbers(self) -> dict[str, int]:
        """The numbers by name."""
        return {**{name: getattr(self, name) for name in _NUMBERS}, "skipped": self.skipped}

    def as_json(self) -> dict[str, object]:
        """The numbers by name, and those of each filter."""
        return {**self.numbers(), "skipped_by": dict(sorted(self.skipped_by.items()))}


class Report:
    """
    Writes `crawl/RUN.json`: the numbers, and one entry for each file that failed, was renamed or left out.

    The entries wait in temporary files, so that there may be any number of them.
    """

    def __init__(self, location: Location, run_id: str) -> None:
        self._location = location
        self.key = layout.crawl_report(run_id)
        self._stack = ExitStack()
        self._lists: dict[Kind, IO[bytes]] = {}

    def __enter__(self) -> "Report":
        for kind in _KINDS:
            self._lists[kind] = self._stack.enter_context(
                tempfile.SpooledTemporaryFile(_HELD, prefix="lakehouse-crawl-")
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def note(self, kind: Kind, entry: Mapping[str, object]) -> None:
        """Add an entry to a list."""
        file = self._lists[kind]
        if file.tell():
            file.write(b",\n")
        file.write(orjson.dumps(entry))

    def write(self, numbers: Mapping[str, object]) -> None:
        """Write the report as it is now; `numbers` are its other keys."""
        with self._location.writer(self.key) as writer:
            writer.write(orjson.dumps(numbers, option=orjson.OPT_INDENT_2).rstrip(b"\n}"))
            for kind in _KINDS:
                writer.write(b',\n  "%s": [' % kind.encode())
                self._copy(self._lists[kind], writer)
                writer.write(b"]")
            writer.write(b"\n}\n")

    def _copy(self, file: IO[bytes], writer: DigestWriter) -> None:
        end = file.tell()
        file.seek(0)
        while chunk := file.read(_COPIED):
            writer.write(chunk)
        file.seek(end)


class Failed(BaseModel):
    """An entry of a report: what could not be read, of which source, and why."""

    source: str
    path: str
    reason: str
    folder: bool = False


class ReportedSource(BaseModel):
    """A source as a report names it: without a password, and how it was crawled."""

    uri: str
    prefix: str | None = None
    exclude_prefix: str | None = None
    glob: str | None = None
    exclude_glob: str | None = None
    existing: HandleExistingMode = HandleExistingMode.skip_path
    make_entities: bool = True


class CrawlReport(BaseModel):
    """A report, as far as a later crawl needs it."""

    model_config = ConfigDict(extra="ignore")

    run_id: str
    sources: list[ReportedSource]
    failed: list[Failed]

    def failures(self) -> Iterator[tuple[ReportedSource, list[Failed]]]:
        """The sources with what failed of each; those where nothing did are left out."""
        for source in self.sources:
            failed = [entry for entry in self.failed if entry.source == source.uri]
            if failed:
                yield source, failed


def read_report(location: Location, run_id: str) -> CrawlReport:
    """The report of a run of a dataset; NotFound or InvalidData tells how to find one."""
    names = [name.removesuffix(".json") for name in location.names(layout.CRAWL_REPORTS)]
    if run_id not in names:
        last = f"; the last one is {names[-1]}" if names else ""
        msg = f"there is no report of a crawl {run_id!r} in {location.url(layout.CRAWL_REPORTS)}{last}"
        raise NotFound(msg)
    key = layout.crawl_report(run_id)
    try:
        return CrawlReport.model_validate(json.loads(location.read(key)))
    except (ValueError, ValidationError) as exc:
        msg = f"{location.url(key)} is no report of a crawl: {exc}; crawl the source as a whole"
        raise InvalidData(msg) from exc
