"""Folders to crawl, and looking at what a crawl did."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse_assets.archive.sources.base import FileSource, LeftOut, SourceFile, Unreadable
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import CrawlJob
from tests.factories import rows_of

FILES = {
    "a.txt": "one",
    "contracts/b.pdf": "%PDF-1.7 two",
    "contracts/2024/c.csv": "x,y\n",
    "contracts/copy.txt": "one",
}
"""Four files, three contents."""

_watched: list[list[str]] = []


def write_tree(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Files below a folder, by path."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def settle() -> None:
    """Wait until a change made now would be told from the last one, coarse as the clock is that stamps it."""
    time.sleep(0.12)


def counts(job: CrawlJob) -> dict[str, int]:
    """The numbers of a crawl, but for zeros."""
    found = {name: getattr(job, name) for name in ("seen", "stored", "known", "skipped", "errors")}
    return {name: number for name, number in found.items() if number}


def paths_of(dataset: Dataset) -> list[str]:
    """The paths of all archived files, sorted."""
    return sorted(file.key for file in dataset.archive.files())


def contents_of(dataset: Dataset) -> dict[str, bytes]:
    """All archived files by path."""
    found = {}
    for file in dataset.archive.files():
        with dataset.archive.open(file.checksum) as stream:
            found[file.key] = stream.read()
    return found


def names_of(dataset: Dataset) -> list[str]:
    """The names of all documents and folders among the statements, sorted."""
    rows = rows_of(dataset)
    return sorted(value for prop, value in rows.select("prop", "value").iter_rows() if prop == "fileName")


def report_of(dataset: Dataset, job: CrawlJob) -> dict[str, Any]:
    """The report that a crawl left."""
    assert job.report is not None
    return dict(json.loads(dataset.location.read(job.report)))


def failures_of(dataset: Dataset, job: CrawlJob) -> dict[str, str]:
    """What a crawl could not read, and why."""
    return {entry["path"]: entry["reason"] for entry in report_of(dataset, job)["failed"]}


def listed(source: FileSource) -> dict[str, SourceFile]:
    """The files of a source by key."""
    return {found.key: found for found in source.files() if isinstance(found, SourceFile)}


def unreadable(source: FileSource) -> dict[str, str]:
    """What a source cannot read, and why."""
    return {found.path: found.reason for found in source.files() if isinstance(found, Unreadable)}


def left_out(source: FileSource) -> dict[str, str]:
    """What a source leaves out, and why."""
    return {found.path: found.why for found in source.files() if isinstance(found, LeftOut)}


def read(source: FileSource) -> dict[str, bytes]:
    """All files of a source, each read when it is come by."""
    found = {}
    for file in source.files():
        if isinstance(file, SourceFile):
            with source.open(file) as opened:
                found[file.key] = opened.stream.read()
    return found


@contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """The names of the files below a folder that are opened while the block works."""
    opened: list[str] = []
    seen: list[str] = []
    _watched.append(seen)
    try:
        yield opened
    finally:
        _watched.remove(seen)
        lead = f"{folder.resolve()}/"
        opened += [path[len(lead) :] for path in seen if path.startswith(lead)]


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _watched and isinstance(args[0], str):
        for seen in _watched:
            seen.append(args[0])


sys.addaudithook(_hook)
