"""What a state's file says about the state itself, under a key of its own."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.state.values import Json

KEY = "__state__"
SCHEMA = 1

Status = Literal["new", "running", "completed"]
"""`new`: nothing is on disk. `running`: not completed yet. `completed`: all done, as far as is known."""


@dataclass(frozen=True)
class Header:
    """
    Which state it is: of which job, the how manieth, written when and by which run.

    `generation` counts the writes of a state. `epoch` is another one after the state was begun anew, so that no
    generation means two things. `updated_at` is an ISO time in UTC.
    """

    job: str = ""
    generation: int = 0
    status: Status = "new"
    run_id: str = ""
    updated_at: str = ""
    schema: int = SCHEMA
    hash: str = ""
    epoch: str = ""
    username: str | None = None

    @classmethod
    def parse(cls, value: object) -> "Header":
        """The header that a file holds; of a file without one the generation is 0. InvalidData when it is none."""
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            msg = f"{KEY!r} is not an object"
            raise InvalidData(msg)
        found = cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})
        generation, schema = found.generation, found.schema
        if not _is_count(generation) or not isinstance(found.epoch, str):
            msg = f"{KEY!r} has no generation that is a number, or an epoch that is no text"
            raise InvalidData(msg)
        if not _is_count(schema) or schema > SCHEMA:
            msg = f"{KEY!r} is of schema {schema!r}, which a later version of this program wrote; use that"
            raise InvalidData(msg)
        return found

    def renewed(self) -> "Header":
        """The same state in a new epoch."""
        return replace(self, epoch=uuid.uuid4().hex)

    def to_json(self) -> dict[str, Json]:
        """The same as a file holds it; what is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
