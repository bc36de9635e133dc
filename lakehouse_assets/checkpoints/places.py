"""
Where the file of a checkpoint lies, whole or in parts.

    <name><suffix>            a frame that was put as a whole; where it is, it alone counts
    <name>.parts/*<suffix>    one that was put in parts

Parts take over from a whole frame by its move among them, and a whole frame from parts by its appearance, so that a
crash at any moment leaves what was there before or what is there now.
"""

import secrets
from dataclasses import dataclass

from lakehouse_assets.errors import NotFound
from lakehouse_assets.layout import stamp
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location

# no part that is named can be called so
_FIRST = "_first"


@dataclass(frozen=True)
class Place:
    """The files of one checkpoint, by their keys from the folder of its run or correlation."""

    folder: Location
    name: str
    suffix: str

    @property
    def whole(self) -> str:
        """The file of a whole frame."""
        return f"{self.name}{self.suffix}"

    def part(self, part: str | None) -> str:
        """The file of a part; one without a name gets one that no other has, in the order of time."""
        return f"{self._parts}/{part or f'~{stamp(now_utc())}-{secrets.token_hex(4)}'}{self.suffix}"

    def counting(self) -> list[str]:
        """The files that count, in order; none when there is no such checkpoint."""
        if self.folder.exists(self.whole):
            return [self.whole]
        return sorted(self.parts(), key=lambda key: (key != self._first, key))

    def parts(self) -> list[str]:
        """The files of all parts, whether they count or not."""
        names = self.folder.names(self._parts)
        return [f"{self._parts}/{name}" for name in names if name.endswith(self.suffix)]

    def make_room(self) -> None:
        """
        Make a whole frame the first of the parts, where there is one; else nothing.

        Any number of processes do this at once. Each looks for parts before it looks for the whole frame: where that is
        still there, nobody has written a part since, and those that were found are left over from before it was put.
        """
        left_over = self.parts()
        if not self.folder.exists(self.whole):
            return
        for key in left_over:
            if key != self._first:
                self.folder.delete(key)
        try:
            self.folder.move(self.whole, self._first)
        except NotFound:
            # somebody else was faster
            return

    def drop_parts(self) -> None:
        """Delete all parts: they do not count any more."""
        for key in self.parts():
            self.folder.delete(key)

    @property
    def _parts(self) -> str:
        return f"{self.name}.parts"

    @property
    def _first(self) -> str:
        return f"{self._parts}/{_FIRST}{self.suffix}"
