"""
Bringing what people write about a dataset: config.yml, pipeline.yml, and what becomes of its tables (mapping.yml).

A document that is not the same on both sides is taken from the one that changed it. That is told by the content that
it had when both were the same, which is noted at each pull, and by the snapshots that were taken of it. Where both
sides changed it, it stays as it is here and is told of, unless it is said that theirs counts.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.documents import read_yaml
from lakehouse_assets.replicas.steps import Resolve
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.tags import Tags

Verdict = Literal["same", "take", "keep", "conflict"]
"""Whether a document is the same, is taken from there, is newer here, or was changed on both sides."""

# what a document says of the place where it lies
_OF_PLACES = {layout.CONFIG: {"uri"}, layout.PIPELINE: {"deleted_at", "removed"}}
_DELETION = "deletion"


@dataclass(frozen=True)
class Document:
    """A document of a dataset as it is here (None without one) and there, and what becomes of it."""

    key: str
    ours: bytes | None
    theirs: bytes
    verdict: Verdict

    def is_taken(self, resolve: Resolve | None) -> bool:
        """Whether the one from there takes the place of ours."""
        return self.verdict == "take" or (self.verdict == "conflict" and resolve == "theirs")


def compare_documents(here: Location, there: Location) -> list[Document]:
    """Every document there, and how the one here stands to it."""
    mappings = [layout.mapping(name) for name in there.folders(layout.MAPPINGS)]
    keys = [*mappings, layout.PIPELINE, layout.CONFIG]
    pairs = in_parallel(lambda key: (here.read_or_none(key), there.read_or_none(key)), keys)
    known = _Known(here, there)
    return [
        Document(key, ours, theirs, known.verdict(key, ours, theirs))
        for key, (ours, theirs) in zip(keys, pairs, strict=True)
        if theirs is not None
    ]


def bring_documents(here: Location, documents: Sequence[Document], *, resolve: Resolve | None) -> list[str]:
    """Put the documents in place that are taken from there, config.yml last; returns their keys."""
    taken = [document for document in documents if document.is_taken(resolve)]
    tags = Tags(here)
    for document in taken:
        data = placed(here, document.key, document.theirs)
        if data == document.ours:
            continue
        here.write(document.key, data)
        # what ftm-lakehouse goes by when it writes the document again
        tags.set(document.key)
        tags.set(layout.digest_tag(document.key, hashlib.sha256(data).hexdigest()))
    _note(here, [each for each in documents if each.verdict == "same" or each in taken])
    return [document.key for document in taken]


def placed(here: Location, key: str, data: bytes) -> bytes:
    """A document as it is written here: a config says where the dataset lies."""
    if key != layout.CONFIG:
        return data
    return DatasetConfig.load(data, here.url(key), uri=here.uri).to_yaml()


def shards_of(location: Location) -> int | None:
    """The number of shards that config.yml says, None without one."""
    data = location.read_or_none(layout.CONFIG)
    return max(DatasetConfig.load(data, location.url(layout.CONFIG)).shards, 1) if data is not None else None


def follow_shards(here: Location, there: Location) -> None:
    """Let config.yml here say in how many shards the statements lie that came from there."""
    shards = shards_of(there)
    if shards is not None and shards_of(here) not in (None, shards):
        config = DatasetConfig.load(here.read(layout.CONFIG), here.url(layout.CONFIG), uri=here.uri)
        theirs = DatasetConfig.load(there.read(layout.CONFIG), there.url(layout.CONFIG))
        here.write(layout.CONFIG, config.model_copy(update={"shards": theirs.shards}).to_yaml())


def followed_deletion(here: Location) -> str | None:
    """The time of the deletion there that the dataset was last deleted for."""
    return _bases(here).get(_DELETION)


def note_deletion(here: Location, at: str) -> None:
    """Keep for which deletion there the dataset is deleted: once it was brought back, that one does not count."""
    here.write(layout.REPLICA_BASES, json.dumps({**_bases(here), _DELETION: at}).encode())


class _Known:
    """What is known of the history of documents on both sides; looked up only where they are not the same."""

    def __init__(self, here: Location, there: Location) -> None:
        self._sides = (here, there)
        self._bases: Sequence[Mapping[str, str]] | None = None
        self._snapshots: Sequence[Mapping[str, set[str]]] | None = None

    def verdict(self, key: str, ours: bytes | None, theirs: bytes | None) -> Verdict:
        """What becomes of a document."""
        if theirs is None or ours == theirs:
            return "same"
        if ours is None:
            return "take"
        mine, yours = _digest(key, ours), _digest(key, theirs)
        if mine == yours:
            return "same"
        bases = {base[key] for base in self._of_bases() if key in base}
        if (mine in bases) != (yours in bases):
            return "take" if mine in bases else "keep"
        known, other = (snapshots.get(key, set()) for snapshots in self._of_snapshots())
        if known and other and known != other:
            # edited by hand, a document is not what its last snapshot says
            if known < other and self._is_kept(0, key, ours):
                return "take"
            if other < known and self._is_kept(1, key, theirs):
                return "keep"
        return "conflict"

    def _is_kept(self, side: int, key: str, data: bytes) -> bool:
        """Whether there is a snapshot of this content."""
        location, digest = self._sides[side], _digest(key, data)
        paths = self._of_snapshots()[side][key]
        return any(
            digest == _digest(key, found)
            for path in sorted(paths, reverse=True)
            if (found := location.read_or_none(path)) is not None
        )

    def _of_bases(self) -> Sequence[Mapping[str, str]]:
        if self._bases is None:
            self._bases = [_bases(side) for side in self._sides]
        return self._bases

    def _of_snapshots(self) -> Sequence[Mapping[str, set[str]]]:
        if self._snapshots is None:
            self._snapshots = [_snapshots(side.keys(layout.VERSIONS)) for side in self._sides]
        return self._snapshots


def _snapshots(paths: Iterable[str]) -> dict[str, set[str]]:
    """The snapshots below `versions`, by the key of their document."""
    found: dict[str, set[str]] = {}
    for path in paths:
        parts = path.split("/", 4)
        if len(parts) == 5:
            found.setdefault(parts[4], set()).add(path)
    return found


def _bases(side: Location) -> dict[str, str]:
    data = side.read_or_none(layout.REPLICA_BASES)
    try:
        return {str(key): str(digest) for key, digest in json.loads(data).items()} if data else {}
    except (ValueError, AttributeError):
        return {}


def _note(here: Location, documents: Sequence[Document]) -> None:
    """Keep what documents were when both sides had the same."""
    before = _bases(here)
    after = before | {document.key: _digest(document.key, document.theirs) for document in documents}
    if after != before:
        here.write(layout.REPLICA_BASES, json.dumps(after).encode())


def _digest(key: str, data: bytes) -> str:
    """What tells one content of a document from another, wherever it lies and however it is laid out."""
    try:
        told = read_yaml(data, key)
    except InvalidData:
        return hashlib.sha256(data).hexdigest()
    plain = {name: value for name, value in told.items() if name not in _OF_PLACES.get(key, ())}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()
