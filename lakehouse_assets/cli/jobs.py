"""`jobs`: what waits to be worked by stages, what failed, and working it here."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import datetime
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import iso_z, now_utc

if TYPE_CHECKING:
    from lakehouse_assets.jobs import AnyJob, Counts, DeadLetter, JobQueue, Worked

verbs = typer.Typer()
group = verb_group(
    verbs,
    "jobs",
    about="Queue jobs for stages, work them here, and see what waits and what failed.",
    example="lakehouse jobs status",
)

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="The name of the queue.", show_default=False)]
AnyQueue = Annotated[
    str | None, typer.Argument(metavar="[QUEUE]", help="Only this queue.", show_default=False)
]
Stages = Annotated[
    list[str] | None,
    typer.Option("--stages", metavar="MODULE", help="A module with stages, besides LAKEHOUSE_STAGES."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell how many they are.")]

# how often it is looked for new jobs, in seconds
_PAUSE = 1.0
_DIGITS = 12
_MOST_ERRORS = 5
_STATES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborting", "aborted")


@verb(group, "defer", example="lakehouse jobs defer -d eu_list --queue files --task extract jobs.jsonl")
def defer(
    call: Call,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Jobs as JSON lines, - for stdin.")],
    queue: Annotated[
        str | None, typer.Option(metavar="NAME", help="The queue of jobs that name none.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="The task of jobs that name none.")] = None,
    priority: Annotated[
        int | None, typer.Option(metavar="N", help="The priority of jobs that name none; higher comes first.")
    ] = None,
    stages: Stages = None,
) -> None:
    """
    Queue jobs, all of the file or none: {"queue": "files", "task": "extract", "dataset": "eu_list", "payload": {}}.

    Jobs of a stage that is switched off are left out. The same job waits only once.
    """
    waiting = _queue(call, stages)
    defaults = {
        "queue": queue,
        "task": task,
        "priority": priority,
        "dataset": next(iter(call.datasets), None),
    }
    given: dict[str, object] = {name: value for name, value in defaults.items() if value is not None}
    began = time.monotonic()
    with reporting.announced(waiting) as announced:
        ids = announced.defer(_jobs(file, given))
    if call.as_json:
        output.document({"jobs": len(ids), "ids": ids, "seconds": time.monotonic() - began})
    else:
        output.line(f"queued {humane.count(len(ids), 'job')} in {humane.seconds(time.monotonic() - began)}")


@verb(group, "status", example="lakehouse jobs status files")
def status(call: Call, queue: AnyQueue = None) -> None:
    """
    Tell how many jobs of which queue, task and dataset wait, are at work, and are done.

    Failed are those that are not tried again. Remaining is what one worker would still need.
    """
    found = _queue(call).status(queue, next(iter(call.datasets), None))
    if call.as_json:
        total = reduce(add, found) if found else None
        counts = [_counted(each) for each in found]
        output.document({"queues": counts, "total": _counted(total) if total else None})
        return
    columns = ["queue", "task", "dataset", *_STATES, "oldest", "remaining"]
    output.table(columns, map(_row, found), numbers=(*_STATES, "oldest", "remaining"))


@verb(group, "work", example="lakehouse jobs work files --stages my_stages")
def work(
    call: Call,
    queue: Queue,
    stages: Stages = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on when nothing is left, until you interrupt it.")
    ] = False,
) -> int:
    """
    Work a queue here, without Dagster: all that is due, or with -d what is of a dataset, and what comes of it.

    Any number may work at once. Failed jobs are tried again later; those that failed for good are listed by
    `lakehouse jobs dead`, and the exit code is 3 then.
    """
    from lakehouse_assets.jobs import FileQueue, Worked

    waiting = _queue(call, stages)
    total, began = Worked(), time.monotonic()
    with Bar("working", shown=not call.quiet) as progress:
        try:
            while True:
                worked = _work(call, waiting, queue, progress)
                total += worked
                if not follow:
                    break
                time.sleep(0 if worked.jobs else _PAUSE)
        except KeyboardInterrupt:
            if not follow:
                raise
    if isinstance(waiting, FileQueue):
        waiting.sweep(queue)
    _tell_worked(call, waiting, queue, total, time.monotonic() - began)
    return DONE_WITH_ERRORS if total.dead or total.refused else DONE


@verb(group, "dead", example="lakehouse jobs dead files --traceback")
def dead(
    call: Call,
    queue: AnyQueue = None,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print all of what each failed with, and its payload.")
    ] = False,
) -> None:
    """List the jobs that failed for good, the oldest first, and what they failed with."""
    found = _letters(call, _queue(call), queue)
    if call.as_json:
        output.document({"dead": [_letter_document(letter) for letter in found]})
    elif traceback:
        for letter in found:
            _print_letter(letter)
    else:
        columns = ["id", "queue", "task", "dataset", "attempts", "failed", "error"]
        output.table(columns, map(_letter_row, found), numbers=("attempts",))


@verb(group, "requeue", example="lakehouse jobs requeue --all")
def requeue(
    call: Call,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="The jobs, each by its id or how that begins."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All jobs that failed for good.")] = False,
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this queue.")] = None,
    stages: Stages = None,
) -> None:
    """Queue jobs again that failed for good, with all their attempts before them."""
    if bool(ids) == everything:
        msg = "which jobs? Name their ids, or --all; `lakehouse jobs dead` lists them"
        raise WrongUsage(msg)
    waiting = _queue(call, stages)
    found = [letter.id for letter in _letters(call, waiting, queue)]
    with reporting.announced(waiting) as announced:
        done = announced.requeue(found if everything else _named(ids or [], found), queue=queue)
    if call.as_json:
        output.document({"jobs": len(done), "ids": done})
    else:
        output.line(f"queued {humane.count(len(done), 'job')} again")


@verb(group, "cancel", example="lakehouse jobs cancel -d eu_list")
def cancel(call: Call, queue: AnyQueue = None, dry_run: DryRun = False) -> None:
    """
    Cancel the jobs of a queue, of a dataset, or of both together.

    Those at work end when the one that is worked is done.
    """
    if queue is None and not call.datasets:
        msg = "which jobs? Name a queue, or a dataset by -d"
        raise WrongUsage(msg)
    dataset = call.dataset_name() if call.datasets else None
    cancelled = _queue(call).cancel(queue=queue, dataset=dataset, dry_run=dry_run)
    if call.as_json:
        output.document({"queue": queue, "dataset": dataset, "jobs": cancelled, "dry_run": dry_run})
    else:
        output.line(f"{'would cancel' if dry_run else 'cancelled'} {humane.count(cancelled, 'job')}")


def _queue(call: Call, stages: list[str] | None = None) -> "JobQueue":
    from lakehouse_assets.jobs import load_stages, open_queue

    lake = call.lake()
    # as `python -m` does: modules with stages most often lie where one works
    sys.path[:0] = [""] if "" not in sys.path else []
    load_stages([*lake.settings.stage_modules, *(stages or [])])
    return open_queue(lake)


def _jobs(file: str, given: dict[str, object]) -> "Iterator[AnyJob]":
    """The jobs of a file; InvalidData names the first line that is none."""
    import json

    from pydantic import ValidationError

    from lakehouse_assets.jobs import settings_of, unpack

    for number, line in enumerate(_lines(file), 1):
        try:
            told = json.loads(line)
            if not isinstance(told, dict):
                msg = f"it is no JSON object but of type {type(told).__name__}"
                raise InvalidData(msg)
            told = {**given, **told}
            stage = settings_of(str(told.get("task")))
            yield unpack({"queue": stage.queue, **told} if stage.queue else told)
        except ValueError as exc:
            reason = _explained(exc) if isinstance(exc, ValidationError) else str(exc)
            name = "stdin" if file == "-" else file
            msg = f"{name}, line {number} is no job: {reason}; nothing was queued"
            raise InvalidData(msg) from exc


def _explained(exc: Exception) -> str:
    from pydantic import ValidationError

    assert isinstance(exc, ValidationError)
    return ", ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())


def _lines(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from (line for line in sys.stdin.buffer if line.strip())
        return
    with open(file, "rb") as stream:
        yield from (line for line in stream if line.strip())


def _work(call: Call, queue: "JobQueue", name: str, progress: Bar) -> "Worked":
    from lakehouse_assets.jobs import work_queue

    lake, dataset = call.lake(), call.dataset_name() if call.datasets else None
    # what stages print is no result of the command
    with redirect_stdout(sys.stderr):
        worked = work_queue(queue, name, lake=lake, dataset=dataset, progress=progress)
    for dataset in worked.statements:
        reporting.report(lake.dataset(dataset))
    return worked


def _tell_worked(call: Call, queue: "JobQueue", name: str, worked: "Worked", seconds: float) -> None:
    waits = sum(batch.count for batch in queue.waiting(name))
    if call.as_json:
        told = {**asdict(worked), "work_seconds": worked.seconds, "seconds": seconds}
        output.document({"queue": name, **told, "waiting": waits})
        return
    jobs, took = humane.count(worked.jobs, "job"), humane.seconds(seconds)
    failed = f", {humane.count(worked.failed)} failed" if worked.failed else ""
    output.line(f"worked {jobs} of {name} in {took}: {humane.count(worked.succeeded)} succeeded{failed}")
    for dataset, rows in worked.statements.items():
        output.line(f"wrote {humane.count(rows, 'statement')} into {dataset}")
    if call.quiet:
        return
    if worked.refused:
        entities = humane.count(worked.refused, "entity", "entities")
        output.warn(f"{entities} could not be taken; see the quarantine in the dataset's folder")
    for error, count in sorted(worked.errors.items(), key=lambda item: -item[1])[:_MOST_ERRORS]:
        output.warn(f"{humane.count(count)} times {error}" if count > 1 else error)
    if worked.dead:
        output.warn(
            f"{humane.count(worked.dead, 'job')} failed for good; `lakehouse jobs dead {name}` tells why"
        )
    if waits:
        output.line(f"{humane.count(waits, 'job')} still {'waits' if waits == 1 else 'wait'}")


def _letters(call: Call, queue: "JobQueue", name: str | None) -> "list[DeadLetter]":
    return [letter for letter in queue.dead(name) if not call.datasets or letter.dataset in call.datasets]


def _named(wanted: Iterable[str], known: list[str]) -> list[str]:
    """The ids that begin so; NotFound or InvalidData names one that fits none or several."""
    found = []
    for start in wanted:
        fitting = sorted({each for each in known if each.startswith(start)})
        if not fitting:
            msg = f"no job {start!r} failed for good; `lakehouse jobs dead` lists them"
            raise NotFound(msg)
        if len(fitting) > 1 and start not in fitting:
            msg = f"{len(fitting)} jobs begin with {start!r}; give more of the id"
            raise InvalidData(msg)
        found.append(start if start in fitting else fitting[0])
    return found


def _counted(counts: "Counts") -> dict[str, object]:
    remaining = counts.remaining
    return {
        **asdict(counts),
        "total": counts.total,
        "oldest": iso_z(counts.oldest) if counts.oldest else None,
        "remaining_seconds": remaining.total_seconds() if remaining is not None else None,
    }


def _row(counts: "Counts") -> list[str]:
    states = [humane.count(getattr(counts, state)) for state in _STATES]
    remaining = counts.remaining
    oldest = humane.seconds((now_utc() - counts.oldest).total_seconds()) if counts.oldest else ""
    left = humane.seconds(remaining.total_seconds()) if remaining else ""
    return [counts.queue, counts.task, counts.dataset or "", *states, oldest, left]


def _letter_document(letter: "DeadLetter") -> dict[str, object]:
    names = ("id", "queue", "task", "dataset", "attempts", "error", "traceback")
    told = {name: getattr(letter, name) for name in names}
    return {**told, "failed_at": iso_z(letter.at), "job": letter.data.decode(errors="replace")}


def _letter_row(letter: "DeadLetter") -> list[str]:
    told = [letter.id[:_DIGITS], letter.queue, letter.task, letter.dataset or ""]
    return [*told, humane.count(letter.attempts), _moment(letter.at), letter.error]


def _print_letter(letter: "DeadLetter") -> None:
    where = f" of {letter.dataset}" if letter.dataset else ""
    attempts = humane.count(letter.attempts, "attempt")
    output.line(f"{letter.id}: {letter.task}{where}, {attempts}, failed {_moment(letter.at)}")
    for line in letter.traceback.splitlines():
        output.line(f"  {' ' * (len(line) - len(line.lstrip()))}{output.visible(line)}")
    output.line(f"  {output.visible(letter.data.decode(errors='replace'))}")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
