"""`import`: entities and statements from files and stdin."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS
from lakehouse_assets.cli.moments import moment
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.operations import ImportJob

# other origins say more: which crawl, which mapping, which program
_ORIGIN = "bulk"

verbs = typer.Typer()


@verb(verbs, "import", example="lakehouse import -d eu_list --replace people.ftm.json.gz statements.csv")
def import_files(
    call: Call,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="FollowTheMoney entities as JSON lines, statements as .csv or .parquet; "
            "also .gz, .zst and .bz2; a path, s3://bucket/file, or - for stdin.",
            show_default=False,
        ),
    ],
    origin: Annotated[str, typer.Option(metavar="NAME", help="Where the entities come from.")] = _ORIGIN,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Take values as they are: followthemoney wrote them.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if a single line is bad.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Delete what these origins said before and do not say any more."),
    ] = False,
    journal: Annotated[
        bool,
        typer.Option(
            "--journal",
            help="Into the journal, beside any number of others; `lakehouse flush` makes it visible.",
        ),
    ] = False,
    override_origin: Annotated[
        bool, typer.Option("--override-origin", help="Use --origin also for lines that name their own.")
    ] = False,
    role: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who provides them, for lines that do not say.")
    ] = None,
    last_seen: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME", parser=moment, help="When they were seen, for lines that do not say: 2026-11-21."
        ),
    ] = None,
) -> int:
    """
    Import entities and statements: all of a call appear at once, or none.

    Values are cleaned, and those that cannot be are counted. Lines that cannot be imported go to quarantine;
    the exit code is 3 then. With --replace a single one of them ends the import, and nothing is changed.
    """
    dataset = call.dataset()
    with Bar("importing", shown=not call.quiet) as progress:
        job = dataset.import_files(
            files,
            origin=origin,
            trusted=trusted,
            strict=strict,
            override_origin=override_origin,
            role=role,
            last_seen=last_seen,
            replace=replace,
            journal=journal,
            progress=progress,
        )
    reporting.report(dataset, job=job)
    if call.as_json:
        output.document(_document(job))
    else:
        _print(job, call)
    return DONE_WITH_ERRORS if job.errors else DONE


def _document(job: "ImportJob") -> dict[str, object]:
    counts = output.fields(job, "dataset", "entities", "rows", "deleted", "bytes", "seconds", "errors")
    left_out = output.fields(job, "rejected", "unknown", "empty", "quarantine")
    how = output.fields(job, "origin", "mode", "journal", "content_version", "run_id")
    # an import is never skipped; what its digest stands for is the content that it left
    return {**counts, "digest": job.content_version, "skipped": False, **left_out, **how}


def _print(job: "ImportJob", call: Call) -> None:
    entities = humane.count(job.entities, "entity", "entities")
    statements = humane.count(job.rows, "statement")
    took = humane.seconds(job.seconds)
    where = f"the journal of {job.dataset}" if job.journal else job.dataset
    output.line(f"imported {entities} into {where}: {statements} from {humane.size(job.bytes)} in {took}")
    if job.deleted:
        statements = humane.count(job.deleted, "statement")
        output.line(f"deleted {statements} that the input does not hold any more")
    if call.quiet:
        return
    if job.rejected:
        output.warn(f"{humane.counts(job.rejected)} rejected by cleaning")
    if job.unknown:
        output.warn(f"{humane.counts(job.unknown)} left out: no such property")
    if job.errors:
        lines = humane.count(job.errors, "line")
        output.warn(f"{lines} could not be imported; see {job.quarantine} in the dataset's folder")
