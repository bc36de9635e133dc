"""Reading over a network that may break: what was read is kept, and reading goes on where it stopped."""

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.errors import LakehouseError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

_TRIES = 4


class Body(Protocol):
    """The rest of a file, from some place on."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, none at the end."""

    def close(self) -> None:
        """Give the connection back."""


class ResumingStream(io.RawIOBase):
    """
    A file that is asked for again from where its connection broke, as long as that leads on.

    `reopen` gives the file from an offset; it must refuse when the file is another one by now. Without it, a break is
    the end, and `told` says so. `breaks` are the errors of a connection, also that nothing came for too long.
    """

    def __init__(
        self,
        body: Body,
        *,
        name: str,
        reopen: Callable[[int], Body] | None,
        breaks: tuple[type[Exception], ...],
        told: Callable[[Exception], LakehouseError],
    ) -> None:
        self._body = body
        self._name = name
        self._reopen = reopen
        self._breaks = breaks
        self._told = told
        self._offset = 0
        self._failures = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """The next bytes, as many as come at once."""
        view = memoryview(buffer)
        while True:
            try:
                data = self._body.read(len(view))
                break
            except self._breaks as exc:
                self._resume(exc)
        if data:
            self._failures = 0
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def _resume(self, exc: Exception) -> None:
        self._failures += 1
        if self._reopen is None or self._failures >= _TRIES:
            raise self._told(exc) from exc
        log.info("%s broke off after %s bytes (%s), going on from there", self._name, self._offset, exc)
        self._body.close()
        self._body = self._reopen(self._offset)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._body.close()
        super().close()
