"""The files in a remote folder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from lakehouse_assets.storage.answers import code_of
from lakehouse_assets.storage.files import Entry

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Told = dict[str, object]
"""What a store tells of a file."""

_TIMES = ("LastModified", "mtime", "created")
# by what stores tell one content from another, the surest first
_STATES = ("ETag", "etag", *_TIMES)


def files_in(fs: "AbstractFileSystem", protocol: str, folder: str) -> Iterator[tuple[str, Told]]:
    """The names of the files in a folder, by its path, and what the store tells of them; none without it."""
    for path, told in _objects(fs, folder) if protocol == "s3" else _entries(fs, folder):
        parent, _, name = path.rpartition("/")
        # a file of that very name is no folder, and an object that marks one no file
        if name and parent == folder:
            yield name, told


def stamps_of(fs: "AbstractFileSystem", protocol: str, folder: str, *, deep: bool) -> list[str]:
    """The files in a folder, or `deep` all below it, each with its size and its tag or time, sorted."""
    if not deep:
        return sorted(f"{name} {_state(told)}" for name, told in files_in(fs, protocol, folder))
    found = cast(dict[str, Told], fs.find(folder, detail=True))
    return sorted(f"{path[len(folder) + 1 :]} {_state(told)}" for path, told in found.items())


def entries_of(fs: "AbstractFileSystem", folder: str, *, root: str) -> list[Entry]:
    """All files below a folder with their sizes and times, sorted, by their keys from the root."""
    found = cast(dict[str, Told], fs.find(folder, detail=True))
    # other programs mark empty folders by objects whose names end with a slash
    paths = sorted(path for path in found if path.startswith(f"{folder}/") and not path.endswith("/"))
    return [
        Entry(path[len(root) + 1 :], cast(int, found[path]["size"]), _time(fs, path, found[path]))
        for path in paths
    ]


def _time(fs: "AbstractFileSystem", path: str, told: Told) -> datetime:
    at = next((told[name] for name in _TIMES if told.get(name)), None)
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return cast(datetime, fs.modified(path)).astimezone(UTC)


def _state(told: Told) -> str:
    state = next((told[name] for name in _STATES if told.get(name)), "")
    return f"{told.get('size', told.get('Size'))} {state}"


def _objects(fs: "AbstractFileSystem", folder: str) -> Iterator[tuple[str, Told]]:
    """One request where s3fs makes two: of a folder that is not there it lists the one above."""
    bucket, _, start = folder.partition("/")
    options = {"Bucket": bucket, "Prefix": f"{start}/" if start else "", "Delimiter": "/"}
    while True:
        page = fs.call_s3("list_objects_v2", **options)
        for told in page.get("Contents", []):
            yield f"{bucket}/{told['Key']}", told
        if not page.get("IsTruncated"):
            return
        options["ContinuationToken"] = page["NextContinuationToken"]


def _entries(fs: "AbstractFileSystem", folder: str) -> Iterator[tuple[str, Told]]:
    try:
        entries = fs.ls(folder, detail=True)
    except (FileNotFoundError, NotADirectoryError) as exc:
        if code_of(exc) == "NoSuchBucket":
            raise
        return
    for entry in entries:
        if entry["type"] == "file":
            yield entry["name"], entry
