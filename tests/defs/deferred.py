"""Stages of jobs that note in a folder what they were called with."""

import json
import os
from pathlib import Path

from lakehouse_assets.jobs import DatasetJob, Job, stage

WORK = "DEFERRED_WORK"


def did(job: Job) -> None:
    line = {
        "task": job.task,
        "dataset": getattr(job, "dataset", None),
        "payload": job.payload,
        "pid": os.getpid(),
    }
    with open(Path(os.environ[WORK]) / "did", "a") as file:
        print(json.dumps(line), file=file)


@stage("note", queue="notes")
def note(job: Job) -> None:
    did(job)


@stage("fail", queue="notes", max_retries=1, wait=3600, exponential=0)
def fail(job: Job) -> None:
    did(job)
    raise ValueError("no good")


@stage("hand_on", queue="notes")
def hand_on(job: DatasetJob) -> DatasetJob:
    did(job)
    return DatasetJob(queue="later", task="note", dataset=job.dataset, payload={"from": job.payload})


@stage("write", queue="notes")
def write(job: DatasetJob) -> None:
    did(job)
    with job.get_writer() as writer:
        writer.put({"id": job.payload["id"], "schema": "Person", "properties": {"name": ["Jane Doe"]}})


@stage("stop", queue="notes")
def stop(job: Job) -> None:
    did(job)
    if (Path(os.environ[WORK]) / "stop").exists():
        raise KeyboardInterrupt
