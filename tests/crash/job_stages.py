"""Stages that write, hand on, and fail now and then; a log gets a line for each that is begun."""

import os
import signal

from lakehouse_assets.jobs import DatasetJob, stage

QUEUE = "q"
FIRST, SECOND, DEADLY = "first of a crash", "second of a crash", "deadly"

LOG = ""
"""The file that each call writes a line to, whatever becomes of it."""


def begun(task, number):
    """Note that a stage was called; one write is whole, or not there."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{task}:{number}\n".encode())
    os.close(descriptor)


def jobs(count, task=FIRST, **fields):
    """Jobs of a number each."""
    for number in range(count):
        yield DatasetJob(queue=QUEUE, task=task, dataset="acme", payload={"number": number}, **fields)


def company(name):
    return {"id": name, "schema": "Company", "properties": {"name": [name]}}


@stage(FIRST, max_retries=1, exponential=0, batch_size=20)
def first(job):
    """Write an entity and hand on; every seventh fails once, every 25th always."""
    number = job.payload["number"]
    begun(FIRST, number)
    with job.get_writer("first") as writer:
        writer.put(company(f"first-{number}"))
        writer.put(company(f"first-{number}-too"))
    if number % 25 == 24 or (number % 7 == 6 and not job.attempts):
        raise ValueError(number)
    return DatasetJob(queue=QUEUE, task=SECOND, dataset="acme", payload=job.payload)


@stage(SECOND, batch_size=20)
def second(job):
    """Read what was written, and write some more."""
    number = job.payload["number"]
    begun(SECOND, number)
    assert job.get_dataset().get([f"first-{number}"])
    with job.get_writer("second") as writer:
        writer.put(company(f"second-{number}"))


@stage(DEADLY, batch_size=20)
def deadly(job):
    """Take the worker along, if its number is 3."""
    number = job.payload["number"]
    begun(DEADLY, number)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
