"""A state in memory: what a job wants to find again the next time."""

import uuid
from collections.abc import Iterator, Mapping, MutableMapping

from lakehouse_assets.errors import ElementExists, InvalidData, NotJson
from lakehouse_assets.state.header import KEY, Header, Status
from lakehouse_assets.state.values import Json as Json
from lakehouse_assets.state.values import copied, digest, dumped, loaded


class StateData(MutableMapping[str, Json]):
    """
    Keys and values of one job. It is in memory only until `StateStore.update` or `complete` writes it.

    Example:
        >>> state = StateData()
        >>> state.add_element("last_id", 4711)
        >>> state["last_id"]
        4711
        >>> state.remove_element("last_id")
        True
    """

    def __init__(self, data: Mapping[str, object] | None = None, *, job: str = "") -> None:
        self._data: dict[str, Json] = {}
        self._header = Header(job=job)
        self._interrupted = False
        self._writer = uuid.uuid4().hex
        for key, value in (data or {}).items():
            self.add_element(key, value)

    def add_element(self, key: str, value: object, *, overwrite: bool = True) -> None:
        """
        Set a key to a copy of a value, whatever it was before.

        NotJson (also a TypeError) when JSON cannot hold the value, ElementExists (also a KeyError) when the key is
        there and `overwrite` is off, InvalidData for the keys "" and "__state__".
        """
        if not isinstance(key, str):
            msg = f"the key {key!r} is no text; keys of a state are non-empty text"
            raise NotJson(msg)
        if key in ("", KEY):
            msg = f"{key!r} cannot be a key of a state; use another, non-empty one"
            raise InvalidData(msg)
        if not overwrite and key in self._data:
            msg = f"the state has {key!r} already; leave `overwrite` on to replace it"
            raise ElementExists(msg)
        self._data[str(copied(key, "the key"))] = copied(value, key)

    def remove_element(self, key: str) -> bool:
        """Remove a key; False when there was none."""
        if key not in self._data:
            return False
        del self._data[key]
        return True

    def reset(self) -> None:
        """Remove all keys; job and generation stay."""
        self._data.clear()

    def to_dict(self) -> dict[str, Json]:
        """A copy of all keys and values."""
        # lists and dicts in it may have been changed since they came
        return {key: copied(value, key) for key, value in self._data.items()}

    def to_bytes(self) -> bytes:
        """Keys and values as a JSON object, always the same bytes for the same content."""
        return dumped(self.to_dict())

    def from_bytes(self, data: bytes | str | Mapping[str, object]) -> "StateData":
        """
        Replace all keys and values by those of a JSON object, and return the state itself.

        InvalidData (also a ValueError) when it is none, and nothing changes then. What a state's file says about the
        state itself is left out.
        """
        try:
            values = loaded(data) if isinstance(data, bytes | str) else data
            made = StateData({key: value for key, value in values.items() if key != KEY})
        except InvalidData as exc:
            msg = f"this cannot be a state: {exc}; give a JSON object"
            raise InvalidData(msg) from exc
        self._data = made._data
        return self

    @property
    def job(self) -> str:
        """The name of the job; empty for a state that no store has made."""
        return self._header.job

    @property
    def generation(self) -> int:
        """How often the state was written; 0 for a new one and for files written by hand."""
        return self._header.generation

    @property
    def status(self) -> Status:
        """`new`, `running` or `completed`."""
        return self._header.status

    @property
    def interrupted(self) -> bool:
        """Whether an earlier run did not complete what was loaded here."""
        return self._interrupted

    @property
    def epoch(self) -> str:
        """A random text that is another one after each rollback or reset; empty before the first write."""
        return self._header.epoch

    @property
    def run_id(self) -> str:
        """The run that wrote it last; empty when none did."""
        return self._header.run_id

    @property
    def updated_at(self) -> str:
        """When it was last written: an ISO time in UTC, empty when it never was."""
        return self._header.updated_at

    @property
    def hash(self) -> str:
        """The SHA-256 of `to_bytes()`."""
        return digest(self.to_dict())

    def loaded_as(self, header: Header, *, run_id: str | None = None) -> "StateData":
        """The same state as one that a store found on disk; `run_id` is the run that may write it next."""
        self._header = header
        self._interrupted = header.status == "running"
        self._writer = run_id or self._writer
        return self

    def written_as(self, header: Header) -> None:
        """Take note of what a store wrote of it."""
        self._header = header
        self._interrupted = self._interrupted and header.status == "running"

    @property
    def header(self) -> Header:
        """What the store knows of it."""
        return self._header

    @property
    def writer(self) -> str:
        """The run that writes it next."""
        return self._writer

    def __getitem__(self, key: str) -> Json:
        return self._data[key]

    def __setitem__(self, key: str, value: object) -> None:
        self.add_element(key, value)

    def __delitem__(self, key: str) -> None:
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<StateData {self.job!r}, {self.status}, generation {self.generation}: {self._data!r}>"
