"""What is known about differences: the state of each chain of them, and diffs/delta.json, which lists all."""

import json
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ValidationError

from lakehouse_assets import layout
from lakehouse_assets.model.documents import to_json
from lakehouse_assets.model.times import iso

Kind = Literal["entities", "documents", "documents.crawl"]


class Difference(BaseModel):
    """
    One file of changes that is kept.

    It leads from the version `previous` to `version`, both times of exports as `layout.stamp` writes them, between
    which nothing else changed; what another program left has no `previous`. `checksum` (SHA-256) and `size` are those
    of the file as stored.
    """

    version: str
    kind: Kind
    previous: str | None = None
    added: int
    modified: int
    deleted: int
    path: str
    url: str | None = None
    mime_type: str
    size: int
    checksum: str

    @property
    def at(self) -> datetime:
        """The time of the version."""
        return layout.parse_stamp(self.version)

    @property
    def counts(self) -> dict[str, int]:
        """How many entries it has, by what is done."""
        return {"added": self.added, "modified": self.modified, "deleted": self.deleted}

    @property
    def changed(self) -> int:
        """How many entries it has."""
        return sum(self.counts.values())


class Deltas(BaseModel):
    """
    diffs/delta.json: every difference that is kept, the newest first.

    `since` tells the version from which on those of a kind follow each other without a gap: applied in order to the
    export of that version, they give the one of today.
    """

    name: str
    since: dict[Kind, str] = {}
    versions: list[Difference] = []

    def to_bytes(self) -> bytes:
        """One line of JSON; the same differences give the same bytes."""
        return to_json(self)

    @classmethod
    def load(cls, data: bytes | None) -> Self | None:
        """What a file says; None when it is missing, empty or something else."""
        try:
            return cls.model_validate_json(data) if data else None
        except ValidationError:
            return None


class DiffState(BaseModel):
    """
    How far a chain of differences has come.

    The newest version is `version`, made from the export whose file has the digest `export`; the digests of its lines
    are kept. Differences are kept since the version `since`. `current` is what ftm-lakehouse is told in its own tag:
    the time of the export and the version of the table. `last` is the newest difference, None while there is none.
    """

    version: str
    since: str
    export: str
    statements: str
    current: str
    last: Difference | None = None

    @property
    def at(self) -> datetime:
        """The time of the newest version."""
        return layout.parse_stamp(self.version)

    def to_bytes(self, target: str) -> bytes:
        """The state as it is kept, in the shape of every artifact's record."""
        last = self.last
        record = {
            "digest": last.checksum if last else "",
            "size": last.size if last else 0,
            "rows": last.changed if last else 0,
            "source": {target: self.export, "statements": self.statements},
            "written_at": iso(self.at),
            "path": last.path if last else "",
            "state": self.model_dump(mode="json", exclude_none=True),
        }
        return json.dumps(record).encode()

    @classmethod
    def load(cls, data: bytes | None) -> Self | None:
        """What a record says; None when it is missing or cannot be read."""
        try:
            return cls.model_validate(json.loads(data)["state"]) if data else None
        except (ValueError, KeyError, TypeError):
            return None
