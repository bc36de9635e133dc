"""Which queue a lake has."""

from typing import TYPE_CHECKING

from lakehouse_assets.jobs.queue import JobQueue

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake


def open_queue(lake: "Lake") -> JobQueue:
    """The queue of a lake, as the settings choose it: in Postgres, else files in the lake itself."""
    if lake.settings.queue_uri is not None:
        from lakehouse_assets.jobs.procrastinate_queue import ProcrastinateQueue

        return ProcrastinateQueue(lake, lake.settings.queue_uri)
    from lakehouse_assets.jobs.file_queue import FileQueue

    return FileQueue(lake)
