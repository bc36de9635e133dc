"""Records of what an artifact was made from, beside its tag."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.model.times import iso, now_utc, parse
from lakehouse_assets.storage.location import Location


@dataclass(frozen=True)
class Written:
    """
    A file that was written: its bytes, its rows, and the versions of what it was made from.

    `source` names each thing it was made from with its version or digest; `path` is the file's key.
    """

    digest: str
    size: int
    rows: int
    source: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime = field(default_factory=now_utc)
    path: str = ""


class Records:
    """The records of a dataset's artifacts."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def get(self, key: str) -> Written | None:
        """The record of an artifact; None without one that can be read, then its tag decides."""
        data = self._location.read_or_none(layout.record(key))
        if data is None:
            return None
        try:
            found = json.loads(data)
            return Written(
                digest=str(found["digest"]),
                size=int(found["size"]),
                rows=int(found["rows"]),
                source={str(name): str(value) for name, value in found["source"].items()},
                written_at=parse(found["written_at"]),
                path=str(found["path"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, key: str, written: Written) -> None:
        """Write the record of an artifact."""
        fields = {**vars(written), "source": dict(written.source), "written_at": iso(written.written_at)}
        self._location.write(layout.record(key), json.dumps(fields).encode())

    def delete(self, key: str) -> bool:
        """Remove a record; False when there was none."""
        return self._location.delete(layout.record(key))
