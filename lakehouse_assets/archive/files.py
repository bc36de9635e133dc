"""What is known of an archived file: one small JSON file for each path of a content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import orjson

from lakehouse_assets.archive.ids import parent_id
from lakehouse_assets.archive.types import OCTET_STREAM
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.times import iso_z, now_utc, parse

STORE = "lakehouse://"
"""What stands for the place of the bytes, in every lake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """
    A content at a path. `created_at` and `updated_at` (UTC) are those of the source, `name` is the source's name.

    Example:
        >>> file = dataset.archive.get_file(checksum)
        >>> file.key, file.mimetype
        ('contracts/2024.pdf', 'application/pdf')
    """

    # no pydantic model: a crawl makes one of these for each of some hundred thousand files
    id: str
    name: str
    key: str
    checksum: str
    size: int
    mimetype: str
    dataset: str
    origin: str
    created_at: datetime
    updated_at: datetime
    extra: Mapping[str, object] = field(default_factory=dict)
    store: str = STORE

    @property
    def path(self) -> str:
        """The path, which is the key."""
        return self.key

    @property
    def parent(self) -> str | None:
        """The id of the folder that the file lies in, None at the top."""
        return parent_id(self.key)

    def to_dict(self) -> dict[str, object]:
        """All that is known, as plain values."""
        return {
            "name": self.name,
            "created_at": iso_z(self.created_at),
            "updated_at": iso_z(self.updated_at),
            "size": self.size,
            "store": self.store,
            "key": self.key,
            "mimetype": self.mimetype,
            "id": self.id,
            "dataset": self.dataset,
            "checksum": self.checksum,
            "extra": dict(self.extra),
            "origin": self.origin,
            "path": self.key,
            "parent": self.parent,
        }

    def to_json(self) -> bytes:
        """One line of JSON, nulls included, as ftm-lakehouse reads it."""
        return orjson.dumps(self.to_dict())

    @classmethod
    def load(cls, data: bytes, place: str) -> "ArchivedFile":
        """
        The file that JSON tells of, written by any program; InvalidData names the place.

        Of a key that stands there twice the last counts, unknown keys are ignored.
        """
        try:
            found = orjson.loads(data)
            key = _text(found.get("key") or found["path"])
            at = found.get("updated_at") or found.get("created_at")
            return cls(
                id=_text(found["id"]),
                name=_text(found.get("name") or key.rpartition("/")[2]),
                key=key,
                checksum=_text(found["checksum"]),
                size=int(found["size"]),
                mimetype=_text(found.get("mimetype") or OCTET_STREAM),
                dataset=_text(found.get("dataset") or ""),
                origin=_text(found.get("origin") or ""),
                created_at=_time(found.get("created_at") or at),
                updated_at=_time(at),
                extra=cast(Mapping[str, object], dict(found.get("extra") or {})),
                store=_text(found.get("store") or STORE),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            reason = f"{type(exc).__name__}: {exc}"
            msg = f"{place} does not tell of an archived file ({reason}); remove it and crawl the file again"
            raise InvalidData(msg) from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"expected text, not {value!r}"
        raise TypeError(msg)
    return value


def _time(value: object) -> datetime:
    return parse(value) if isinstance(value, str) else now_utc()
