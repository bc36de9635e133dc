"""What a store of checkpoints needs: something that reads and writes frames, and something that deletes folders."""

from typing import Protocol, TypeVar

Frame = TypeVar("Frame")


class Backend(Protocol[Frame]):
    """Reads and writes frames of one kind; `base` is the address of a run's or a correlation's folder."""

    def probe(self, name: str, base: str) -> Frame | None:
        """The frame under a name, None when there is none."""

    def write(self, name: str, base: str, data: Frame, *, append: bool, part: str | None = None) -> None:
        """
        Write a frame, whole or not at all; WrongType before that when it is none of this kind.

        It takes the place of all that stands under the name, or is one more part of it. `part` is left out where none
        was asked for; a part of that name is replaced.
        """


class Cleaner(Protocol):
    """Deletes what nobody needs any more."""

    def delete_tree(self, path: str) -> None:
        """Delete a folder, by its address, with everything in it; nothing when there is none."""
