"""Applying differences one after the other, and minding each of them."""

import csv
import gzip
import io
import json
from typing import Any

import zstandard

from lakehouse_assets import layout
from lakehouse_assets.lake import Dataset

TIMES = {"first_seen", "last_seen", "last_change", "updated_at"}
EXPORTS = {
    layout.ENTITIES: layout.DIFF_ENTITIES,
    layout.DOCUMENTS: layout.DIFF_DOCUMENTS,
    layout.DOCUMENTS_CRAWL: layout.DIFF_DOCUMENTS_CRAWL,
}


def plain(dataset: Dataset, path: str) -> bytes:
    """The bytes of a file, unpacked by other means than the program's."""
    data = dataset.location.read(path)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.endswith(".zst") else data


def exported(dataset: Dataset, key: str) -> dict[Any, Any]:
    """What an export says, by id (and folder), without times."""
    path = next(path for path in layout.forms(key) if dataset.location.exists(path))
    return dict(_keyed(key, row) for row in _rows(key, plain(dataset, path)))


def differences(dataset: Dataset, key: str) -> list[str]:
    """The files of changes of an export, in order."""
    return sorted(dataset.location.keys(EXPORTS[key]))


class Replay:
    """
    Somebody who took an export once, and from then on only what changed.

    Each change has to be one: what is added is not there yet, what is modified or deleted is there, and nothing is told
    twice.
    """

    def __init__(self, dataset: Dataset, key: str) -> None:
        self.dataset = dataset
        self.key = key
        self.content = exported(dataset, key)
        self.applied = differences(dataset, key)

    def catch_up(self) -> int:
        """Apply what is new, and have what the export says; how many changes there were."""
        new = [path for path in differences(self.dataset, self.key) if path not in self.applied]
        assert all(path > max(self.applied, default="") for path in new)
        count = sum(self._apply(path) for path in new)
        self.applied += new
        assert self.content == exported(self.dataset, self.key)
        return count

    def _apply(self, path: str) -> int:
        count = self.apply(plain(self.dataset, path))
        assert count
        return count

    def apply(self, data: bytes) -> int:
        """Apply changes, each of which has to be one; how many there were."""
        told: set[Any] = set()
        for op, row in _changes(self.key, data):
            name, content = _keyed(self.key, row)
            assert name not in told
            told.add(name)
            if op == "DEL":
                del self.content[name]
                continue
            assert (op == "MOD") == (name in self.content)
            assert self.content.get(name) != content
            self.content[name] = content
        return len(told)


def _rows(key: str, data: bytes) -> list[dict[str, Any]]:
    if key == layout.ENTITIES:
        return [json.loads(line) for line in data.splitlines()]
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def _changes(key: str, data: bytes) -> list[tuple[str, dict[str, Any]]]:
    rows = _rows(key, data)
    if key == layout.ENTITIES:
        return [(row["op"], row["entity"]) for row in rows]
    return [(row.pop("op"), row) for row in rows]


def _keyed(key: str, row: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    name = row["id"] if key == layout.ENTITIES else (row["id"], row["path"])
    return name, {field: value for field, value in row.items() if field not in TIMES}
