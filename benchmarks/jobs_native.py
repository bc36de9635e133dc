"""
Procrastinate without ours, one process of `jobs.py`: `python jobs_native.py URI WHAT COUNT`.

What it does and prints is as jobs_work.py has it.
"""

import json
import sys
import time

import jobs_work
import procrastinate

QUEUE = "native"


def spin(number: int, seconds: float) -> None:
    """Take so many seconds of a processor."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def main(uri: str, what: str, count: int) -> None:
    """Do one of the things that are measured; print what it took."""
    kind = procrastinate.PsycopgConnector if what == "work" else procrastinate.SyncPsycopgConnector
    app = procrastinate.App(connector=kind(conninfo=uri))
    task = app.task(name="spin", queue=QUEUE)(spin)
    made = [{"number": number, "seconds": jobs_work.SECONDS} for number in range(count)]
    began, cpu = time.perf_counter(), time.process_time()
    if what == "work":
        app.run_worker(queues=[QUEUE], wait=False, delete_jobs="always")
    else:
        with app.open():
            began, cpu = time.perf_counter(), time.process_time()
            if what == "defer":
                task.batch_defer(*made)
            else:
                for each in made:
                    task.defer(**each)
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
