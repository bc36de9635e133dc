"""A code location of a user: a lake whose stages note what they did, and hand on to the next."""

import json
import os
import time
from pathlib import Path

from lakehouse_assets import build_definitions
from lakehouse_assets.jobs import DatasetJob, Job, stage

WORK = "QUEUEING_WORK"


def did(job: Job) -> None:
    line = {"task": job.task, "payload": job.payload, "at": time.time(), "pid": os.getpid()}
    with open(Path(os.environ[WORK]) / "did", "a") as file:
        print(json.dumps(line), file=file)


def wait_while(name: str) -> None:
    """Stand still as long as there is a file of this name."""
    while (Path(os.environ[WORK]) / name).exists():
        time.sleep(0.05)


@stage("first", queue="files")
def first(job: DatasetJob) -> DatasetJob:
    did(job)
    return DatasetJob(queue="texts", task="second", dataset=job.dataset, payload=job.payload)


@stage("second", queue="texts")
def second(job: DatasetJob) -> None:
    did(job)
    with job.get_writer() as writer:
        writer.put({"id": job.payload["id"], "schema": "Person", "properties": {"name": ["Jane Doe"]}})


@stage("slow", queue="files")
def slow(job: Job) -> None:
    did(job)
    time.sleep(0.02)


@stage("wait", queue="files")
def wait(job: Job) -> None:
    did(job)
    wait_while("hold")


defs = build_definitions(stages=[__name__])
