"""`flush`, `merge`, `compact`, `vacuum` and `unlock`: looking after a dataset."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.operations import VacuumJob
    from lakehouse_assets.storage.holders import Holder

verbs = typer.Typer()


@verb(verbs, "flush", example="lakehouse flush -d eu_list")
def flush(
    call: Call,
    force: Annotated[bool, typer.Option("--force", help="Leave a record even if nothing waits.")] = False,
) -> None:
    """Make visible what programs wrote into the journal; exports and make do so first."""
    dataset = call.dataset()
    with Bar("flushing", shown=not call.quiet) as progress:
        job = dataset.flush(force=force, progress=progress)
    if not job.skipped:
        reporting.report(dataset)
    if call.as_json:
        told = output.fields(job, "dataset", "segments", "rows", "bytes", "seconds", "skipped", "errors")
        output.document({**told, "digest": dataset.content_version(), "run_id": job.run_id})
    elif not job.segments:
        output.line(f"{job.dataset}: nothing to flush")
    else:
        output.line(
            f"flushed {humane.count(job.segments, 'segment')} into {job.dataset}: "
            f"{humane.count(job.rows, 'statement')} in {humane.seconds(job.seconds)}"
        )


@verb(verbs, "merge", example="lakehouse merge -d eu_list")
def merge(
    call: Call,
    force: Annotated[bool, typer.Option("--force", help="Also what is merged already.")] = False,
) -> None:
    """Rewrite statements to the rows that count; reads get faster."""
    dataset = call.dataset()
    with Bar("merging", shown=not call.quiet) as progress:
        job = dataset.merge(force=force, progress=progress)
    if not job.skipped:
        reporting.report_maintenance(dataset, job)
    if call.as_json:
        told = output.fields(job, "dataset", "seconds", "skipped", "errors", "partitions")
        rows = {"rows": job.rows_after, **output.fields(job, "rows_before", "rows_after")}
        content = {"bytes": None, "digest": dataset.content_version(), "run_id": job.run_id}
        output.document({**told, **rows, **content})
    elif job.skipped:
        output.line(f"{job.dataset}: nothing to merge")
    else:
        output.line(
            f"merged {humane.count(len(job.partitions), 'partition')} of {job.dataset}: "
            f"{humane.count(job.rows_before, 'statement')} to {humane.count(job.rows_after)} "
            f"in {humane.seconds(job.seconds)}"
        )


@verb(verbs, "compact", example="lakehouse compact -d eu_list")
def compact(
    call: Call,
    force: Annotated[bool, typer.Option("--force", help="Rewrite all files, also large ones.")] = False,
) -> None:
    """Put small files together; no row changes."""
    dataset = call.dataset()
    with Bar("compacting", shown=not call.quiet) as progress:
        job = dataset.compact(force=force, progress=progress)
    if not job.skipped:
        reporting.report_maintenance(dataset, job)
    if call.as_json:
        told = output.fields(job, "dataset", "rows", "bytes", "seconds", "skipped", "errors", "partitions")
        files = output.fields(job, "files_before", "files_after", "run_id")
        output.document({**told, **files, "digest": dataset.content_version()})
    elif not job.partitions:
        output.line(f"{job.dataset}: nothing to compact")
    else:
        output.line(
            f"compacted {humane.count(len(job.partitions), 'partition')} of {job.dataset}: "
            f"{humane.count(job.files_before, 'file')} to {humane.count(job.files_after)} "
            f"in {humane.seconds(job.seconds)}"
        )


@verb(verbs, "vacuum", example="lakehouse vacuum -d eu_list --retention-hours 168")
def vacuum(
    call: Call,
    retention_hours: Annotated[
        int,
        typer.Option(
            "--retention-hours",
            metavar="N",
            min=0,
            help="Keep files that were replaced in the last N hours, for those who look at older versions.",
        ),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Look again, also right after a vacuum.")] = False,
) -> None:
    """Delete data files that nobody needs any more; what somebody reads stays."""
    dataset = call.dataset()
    job = dataset.vacuum(retention_hours=retention_hours, dry_run=dry_run, force=force)
    if not (job.skipped or job.dry_run):
        reporting.report_maintenance(dataset, job)
    if call.as_json:
        told = output.fields(job, "dataset", "files", "bytes", "swept", "seconds", "skipped", "errors")
        options = output.fields(job, "retention_hours", "dry_run", "run_id")
        output.document({**told, **options, "rows": 0, "digest": dataset.content_version()})
    else:
        _print_vacuum(job)


def _print_vacuum(job: "VacuumJob") -> None:
    if job.files:
        did = "would delete" if job.dry_run else "deleted"
        files, size = humane.count(job.files, "file"), humane.size(job.bytes)
        output.line(f"{did} {files} of {job.dataset}, {size}, in {humane.seconds(job.seconds)}")
    if job.swept:
        files = humane.count(job.swept, "unfinished file")
        output.line(f"{job.dataset}: removed {files} that dead writers left over")
    if not job.files and not job.swept:
        output.line(f"{job.dataset}: nothing to vacuum")


@verb(verbs, "unlock", example="lakehouse unlock -d eu_list --force")
def unlock(
    call: Call,
    force: Annotated[bool, typer.Option("--force", help="Break the locks, whoever holds them.")] = False,
) -> None:
    """Show who holds the locks; break them with --force."""
    dataset = call.dataset()
    holders = dataset.unlock() if force else dataset.holders()
    if call.as_json:
        found = [holder_document(holder) for holder in holders]
        lease = found[0] if found else None
        broken = force and lease is not None
        output.document({"dataset": dataset.name, "lease": lease, "holders": found, "broken": broken})
        return
    for holder in holders:
        output.line(f"{'broke' if force else 'held:'} {describe(holder)}")
    if not holders:
        output.line(f"{dataset.name} is not locked")
    elif not force and not call.quiet:
        output.say(f"if nobody is at work any more, run `lakehouse unlock -d {dataset.name} --force`")


def describe(holder: "Holder") -> str:
    """A lock in words: which, who holds it and for how long."""
    age = holder.age_seconds
    since = f", for {humane.seconds(age)}" if age is not None else ""
    return output.visible(f"{holder.name} by {holder}{since}")


def holder_document(holder: "Holder") -> dict[str, object]:
    """A lock for machines."""
    fields = ("name", "owner", "host", "pid", "reason", "taken", "expires")
    told = {field: getattr(holder, field) for field in fields}
    return {**told, "age_seconds": holder.age_seconds, "over": holder.is_over}
