"""A bar on the terminal for work that takes a while."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 2.0


class Bar:
    """
    Shows how far an operation came, from two seconds on; nothing before, and nothing off a terminal.

    Example:
        >>> with Bar("importing", shown=True) as progress:
        ...     dataset.import_files(files, progress=progress)
    """

    def __init__(self, label: str, *, shown: bool) -> None:
        self._label = label
        self._shown = shown and sys.stderr.isatty()
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: int, pending: int, unit: str) -> None:
        """Show that `done` are done and `pending` are still to do."""
        if not self._shown or time.monotonic() - self._started < _PATIENCE:
            return
        progress = self._progress = self._progress or _start()
        if unit not in self._tasks:
            self._tasks[unit] = progress.add_task(self._label, unit=unit)
        progress.update(self._tasks[unit], completed=done, total=done + pending or None)


def _start() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many in a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.start()
    return progress
