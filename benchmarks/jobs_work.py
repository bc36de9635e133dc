"""Stages that cost what their job says, and one process of `jobs.py`: `python jobs_work.py LAKE WHAT COUNT`.

`defer` queues jobs of 1 ms in one call, `singly` each by itself, `work` works them; each prints what it took.
"""

import json
import os
import sys
import time
from pathlib import Path

from lakehouse_assets.jobs import Job, open_queue, stage

NOTES = "JOBS_NOTES"
"""The folder in which stages note when they were called."""
QUEUE = "bench"
SECONDS = 0.001


@stage("spin", queue=QUEUE)
def spin(job: Job) -> None:
    """Take so many seconds of a processor."""
    until = time.thread_time() + float(str(job.payload["seconds"]))
    if "note" in job.payload:
        note(str(job.payload["note"]))
    while time.thread_time() < until:
        # to ask for the time all the time would make what comes after it slower
        for _ in range(400):
            pass


def own(count: int = 1000) -> float:
    """The seconds that a job of `SECONDS` takes by itself, which are a little more."""
    job = Job(queue=QUEUE, task="spin", payload={"seconds": SECONDS})
    began = time.process_time()
    for _ in range(count):
        spin(job)
    return (time.process_time() - began) / count


def note(name: str) -> None:
    """Write down when a stage was called, and by which process."""
    file = Path(os.environ[NOTES]) / name
    text = json.dumps({"at": time.time(), "pid": os.getpid()})
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").rename(file)


def jobs(count: int, seconds: float = SECONDS) -> list[Job]:
    """So many jobs, of which the first one says when it is worked."""
    made = [Job(queue=QUEUE, task="spin", payload={"number": n, "seconds": seconds}) for n in range(count)]
    made[0].payload["note"] = f"first-of-{count}"
    return made


def main(uri: str, what: str, count: int) -> None:
    """Do one of the things that are measured; print what it took."""
    from lakehouse_assets import Lake
    from lakehouse_assets.jobs.worker import work_queue

    lake = Lake(uri)
    queue = open_queue(lake)
    made = jobs(count)
    began, cpu = time.perf_counter(), time.process_time()
    if what == "defer":
        queue.defer(made)
    elif what == "singly":
        for job in made:
            queue.defer(job)
    else:
        worked = work_queue(queue, QUEUE, lake=lake)
        assert worked.succeeded == count, worked
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
