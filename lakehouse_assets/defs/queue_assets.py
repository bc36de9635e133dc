"""Queues as assets: how much waits in each and for how long, and which jobs failed for good, and why."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.metadata import Metadata, describe, of_check
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.preview import Cell, table
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.jobs import Batch, Counts, DeadLetter, JobQueue, Worked, open_queue
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import CheckResult

GROUP = "jobs"
DEAD_LETTERS = "dead_letters"
WORKED_IN_TIME = "worked_in_time"

# the event log keeps all that is shown for ever
_MOST_NAMED = 20
_LONGEST = 200
# enough to name a job by
_DIGITS = 12


def queue_asset(naming: Naming, queue: str) -> dg.AssetSpec:
    """A queue, which no run makes: programs and stages fill it, the runs of `work_jobs` empty it."""
    return dg.AssetSpec(
        naming.queue(queue),
        description=f"**Jobs that wait in the queue `{queue}`.** Each is worked by the stage that its task names. "
        "Events tell what was deferred, how much waits, and what each run worked; the check "
        f"`{DEAD_LETTERS}` tells what failed for good, and why.\n\nLies at `.lakehouse/queue` in the lake.",
        group_name=GROUP,
        kinds={"files"},
        owners=artifacts.OWNERS,
        metadata={"queue": queue},
    )


def queue_checks(naming: Naming, queue: str) -> list[dg.AssetChecksDefinition]:
    """What is looked after in a queue."""
    return [
        _check(
            naming,
            queue,
            DEAD_LETTERS,
            "Has any job failed for good? `lakehouse jobs dead` shows why, `lakehouse jobs requeue` tries again.",
            lambda _, jobs: dead_letters(jobs, queue),
        ),
        _check(
            naming,
            queue,
            WORKED_IN_TIME,
            "Does no job wait for longer than LAKEHOUSE_QUEUE_PATIENCE_SECONDS though its time has come?",
            lambda lake, jobs: worked_in_time(lake, queue, jobs.waiting(queue)),
        ),
    ]


def _check(
    naming: Naming, queue: str, name: str, description: str, look: Callable[[Lake, JobQueue], CheckResult]
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=naming.queue(queue),
        name=name,
        description=description,
        required_resource_keys={naming.resource},
    )
    def run(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            lake = open_lake(context, naming)
            found = look(lake, open_queue(lake))
        return dg.AssetCheckResult(
            passed=found.passed,
            severity=dg.AssetCheckSeverity(found.severity),
            description=describe(found),
            metadata=of_check(found),
        )

    return run


def evaluation(naming: Naming, found: CheckResult) -> dg.AssetCheckEvaluation:
    """What a check of a queue found, as an event."""
    return dg.AssetCheckEvaluation(
        asset_key=naming.queue(found.asset),
        check_name=found.check,
        passed=found.passed,
        severity=dg.AssetCheckSeverity(found.severity),
        description=describe(found),
        metadata=of_check(found),
    )


def dead_letters(jobs: JobQueue, queue: str) -> CheckResult:
    """Whether no job of a queue has failed for good; the newest that have, with what they failed with."""
    count = sum(each.failed for each in jobs.status(queue))
    letters = list(jobs.dead(queue, last=_MOST_NAMED)) if count else []
    return CheckResult(
        asset=queue,
        check=DEAD_LETTERS,
        passed=not count,
        severity="WARN",
        metadata={"dead_letters": count, **_why(letters, count)},
        table=[_letter(letter) for letter in reversed(letters)],
        mend=f"`lakehouse jobs requeue --all --queue {queue}` when the cause is gone" if count else "",
    )


def _why(letters: Sequence[DeadLetter], count: int) -> dict[str, str]:
    if not letters:
        return {}
    last = letters[-1]
    more = f"; and {count - 1:,} more" if count > 1 else ""
    return {"why": f"{last.task} failed with {_short(last.error)}{more}"}


def _letter(letter: DeadLetter) -> dict[str, str | int]:
    return {
        "task": letter.task,
        "dataset": letter.dataset or "",
        "failed with": _short(letter.error),
        "attempts": letter.attempts,
        "at": f"{letter.at:%Y-%m-%d %H:%M:%S}",
        "id": letter.id[:_DIGITS],
    }


def worked_in_time(
    lake: Lake, queue: str, batches: Sequence[Batch], now: datetime | None = None
) -> CheckResult:
    """Whether nothing waits for too long whose time has come."""
    now = now or now_utc()
    patience = lake.settings.queue_patience_seconds
    due = [batch for batch in batches if batch.is_due(now)]
    age = max(((now - _since(batch)).total_seconds() for batch in due), default=0.0)
    is_late = age > patience
    return CheckResult(
        asset=queue,
        check=WORKED_IN_TIME,
        passed=not is_late,
        severity="WARN",
        metadata={
            "due_jobs": sum(batch.count for batch in due),
            "oldest_seconds": round(age),
            "patience_seconds": patience,
            **({"why": f"something waits for {timedelta(seconds=round(age))}"} if is_late else {}),
        },
        mend="see that the sensor `work_jobs` is on and what its last run failed with" if is_late else "",
    )


def _since(batch: Batch) -> datetime:
    """Since when a batch could be worked."""
    return max(batch.deferred_at, batch.not_before or batch.deferred_at)


def waiting_observation(naming: Naming, queue: str, counts: Sequence[Counts]) -> dg.AssetObservation:
    """How much of a queue waits, as an event."""
    total = sum(counts[1:], counts[0]) if counts else Counts(queue, "", None)
    rows: list[dict[str, Cell]] = [
        {
            "task": each.task,
            "dataset": each.dataset or "",
            "waiting": each.todo,
            "at work": each.doing + each.aborting,
            "worked": each.succeeded,
            "failed": each.failed,
        }
        for each in counts[:_MOST_NAMED]
    ]
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(total.todo),
        "waiting": dg.MetadataValue.int(total.todo),
        "at_work": dg.MetadataValue.int(total.doing + total.aborting),
        "dead_letters": dg.MetadataValue.int(total.failed),
        **table("by_task", rows),
    }
    if total.open and total.oldest is not None:
        metadata["oldest"] = dg.MetadataValue.timestamp(total.oldest.timestamp())
    return dg.AssetObservation(
        naming.queue(queue), description=f"{total.todo:,} jobs wait", metadata=metadata
    )


def of_worked(worked: Worked) -> Metadata:
    """What a run worked."""
    counts = {
        "jobs": worked.jobs,
        "succeeded": worked.succeeded,
        "failed": worked.failed,
        "tried_again": worked.retried,
        "failed_for_good": worked.dead,
        "cancelled": worked.cancelled,
        "refused_entities": worked.refused,
        "handed_on": worked.deferred,
    }
    found: Metadata = {name: dg.MetadataValue.int(count) for name, count in counts.items()}
    rows: list[dict[str, Cell]] = [
        {"dataset": name, "statements": count} for name, count in sorted(worked.statements.items())
    ]
    failed: list[dict[str, Cell]] = [
        {"error": _short(error), "jobs": count}
        for error, count in sorted(worked.errors.items(), key=lambda item: -item[1])
    ]
    return {
        **found,
        "seconds": dg.MetadataValue.float(round(worked.seconds, 3)),
        **table("written", rows[:_MOST_NAMED]),
        **table("errors", failed[:_MOST_NAMED]),
    }


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
