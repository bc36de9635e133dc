"""A place that breaks: a process that is killed at a chosen moment, or a store that refuses."""

from lakehouse_assets.errors import StorageError
from lakehouse_assets.storage.location import Location


class Crash(BaseException):
    """The process is killed here."""


class Breaking(Location):
    """A location that can be told after how many changes of states to crash; locks do not count."""

    refuse_removals = False
    _left: int | None = None

    def break_after(self, changes: int) -> None:
        """Crash instead of the change after these."""
        self._left = changes

    def mend(self) -> None:
        """Crash no more."""
        self._left = None

    def states(self) -> list[str]:
        """The files of states."""
        return [key for key in self.keys("") if "/" not in key]

    def create(self, key: str, data: bytes) -> bool:
        self._change(key)
        return super().create(key, data)

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        self._change(key)
        return super().swap(key, old, new)

    def remove(self, key: str, old: bytes) -> bool:
        self._change(key, removed=True)
        return super().remove(key, old)

    def delete(self, key: str) -> bool:
        self._change(key, removed=True)
        return super().delete(key)

    def _change(self, key: str, *, removed: bool = False) -> None:
        if "/" in key:
            return
        if removed and self.refuse_removals:
            raise StorageError("refused")
        if self._left == 0:
            raise Crash
        if self._left is not None:
            self._left -= 1
