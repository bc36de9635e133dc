"""Jobs that failed for good: one file for each, whose name tells the job."""

import json
from collections.abc import Collection, Iterable, Iterator

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs.naming import DEAD, JSON, joined, parted
from lakehouse_assets.jobs.queue import DeadLetter
from lakehouse_assets.model.times import iso_z, parse
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

_FIELDS = ("id", "queue", "task", "dataset", "attempts", "error", "traceback")


class DeadFiles:
    """The dead letters of a queue, in its folder."""

    def __init__(self, folder: Location, queue: str) -> None:
        self._folder = folder
        self._queue = queue

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Keep jobs; the same one, at the same attempt, only once."""
        for letter in letters:
            told = {name: getattr(letter, name) for name in _FIELDS}
            # a line that is no text may be what the job failed for
            line = letter.data.decode(errors="backslashreplace")
            body = json.dumps({**told, "at": iso_z(letter.at), "job": line}, ensure_ascii=False)
            self._folder.write(_key(letter), body.encode(errors="backslashreplace"))

    def tasks(self) -> Iterator[tuple[str, str | None]]:
        """The task and the dataset of each, by their names."""
        for _, _, task, dataset in self._names():
            yield task, dataset or None

    def all(self, *, last: int | None = None) -> Iterator[DeadLetter]:
        """All of them, the oldest first; of many only the `last` ones, so many, if given."""
        entries = sorted(self._folder.entries(DEAD), key=lambda entry: (entry.modified, entry.key))
        start = 0 if last is None else max(0, len(entries) - last)
        yield from self._read(entry.key for entry in entries[start:])

    def some(self, ids: Collection[str]) -> Iterator[DeadLetter]:
        """Those of some jobs."""
        yield from self._read(key for key, parts in self._keys() if parts[0] in ids)

    def remove(self, letter: DeadLetter) -> None:
        """Forget one."""
        self._folder.delete(_key(letter))

    def _names(self) -> Iterator[list[str]]:
        return (parts for _, parts in self._keys())

    def _keys(self) -> Iterator[tuple[str, list[str]]]:
        for key in self._folder.keys(DEAD):
            parts = parted(key[len(DEAD) + 1 : -len(JSON)])
            if key.endswith(JSON) and len(parts) == 4:
                yield key, parts

    def _read(self, keys: Iterable[str]) -> Iterator[DeadLetter]:
        wanted = list(keys)
        for key, data in zip(wanted, in_parallel(self._folder.read_or_none, wanted), strict=True):
            if data is not None:
                yield self._letter(key, data)

    def _letter(self, key: str, data: bytes) -> DeadLetter:
        try:
            found = json.loads(data)
            told = {name: found[name] for name in _FIELDS}
            return DeadLetter(**told, at=parse(found["at"]), data=found["job"].encode())
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            msg = f"{self._folder.url(key)} does not tell of a job ({type(exc).__name__}: {exc}); remove it"
            raise InvalidData(msg) from exc


def _key(letter: DeadLetter) -> str:
    name = joined([letter.id, str(letter.attempts), letter.task, letter.dataset or ""])
    return f"{DEAD}/{name}{JSON}"
