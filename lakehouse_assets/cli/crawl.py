"""`crawl`: files of folders, buckets and web servers into the archive."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.model.crawl import HandleExistingMode

if TYPE_CHECKING:
    from lakehouse_assets.operations import CrawlJob

verbs = typer.Typer()


def _mode(text: str) -> HandleExistingMode:
    try:
        return HandleExistingMode(text)
    except ValueError as exc:
        modes = ", ".join(mode.value for mode in HandleExistingMode)
        msg = f"{text!r} is none of {modes}"
        raise typer.BadParameter(msg) from exc


@verb(verbs, "crawl", example="lakehouse crawl -d eu_list s3://bucket/documents --glob '*.pdf'")
def crawl(
    call: Call,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="URI",
            help="A folder or a file; s3://bucket/folder; http://host/folder/; zip://::FILE.zip or "
            "tar://::FILE.tar.gz for what is in one. By default the sources of pipeline.yml.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only paths that begin with this.")
    ] = None,
    exclude_prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="No paths that begin with this.")
    ] = None,
    glob: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only paths like this; * crosses /.")
    ] = None,
    exclude_glob: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="No paths like this; * crosses /.")
    ] = None,
    existing: Annotated[
        HandleExistingMode | None,
        typer.Option(
            metavar="MODE",
            parser=_mode,
            help="What to skip of what is archived: skip-path (that content at that path), skip-checksum "
            "(that content anywhere) or overwrite (nothing). skip-path by default.",
            show_default=False,
        ),
    ] = None,
    entities: Annotated[
        bool | None,
        typer.Option(
            "--entities/--no-entities",
            help="Make entities of files and folders, as by default.",
            show_default=False,
        ),
    ] = None,
    journal: Annotated[
        bool,
        typer.Option("--journal", help="Entities into the journal; `lakehouse flush` makes them visible."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read all files and compare them with the archive; store nothing."),
    ] = False,
    retry_failed: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only what failed in an earlier crawl.")
    ] = None,
) -> int:
    """
    Archive files, and make entities of them.

    Files that did not change since an earlier crawl are not read again. What cannot be read is told, counted and named
    in the report; the exit code is 3 then. A crawl that was stopped is continued by the next one. Options go before
    what pipeline.yml says of a source.
    """
    if verify and retry_failed is not None:
        msg = "--verify looks at all files, --retry-failed at a few: leave one of them out"
        raise WrongUsage(msg)
    # what Arrow keeps by itself for later is 20 MB that a crawl has no use for
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    dataset = call.dataset()
    with Bar("comparing" if verify else "crawling", shown=not call.quiet) as progress:
        job = dataset.crawl(
            source,
            prefix=prefix,
            exclude_prefix=exclude_prefix,
            glob=glob,
            exclude_glob=exclude_glob,
            existing=existing,
            make_entities=entities,
            journal=journal,
            verify=verify,
            retry_failed=retry_failed,
            progress=progress,
        )
    if not verify:
        reporting.report(dataset, crawl=job)
    if call.as_json:
        output.document(_document(job))
    else:
        _print(job, call)
    return DONE_WITH_ERRORS if job.errors else DONE


def _document(job: "CrawlJob") -> dict[str, object]:
    counts = output.fields(job, "dataset", "seen", "stored", "known", "skipped", "errors", "bytes", "seconds")
    rest = output.fields(
        job, "skipped_by", "renamed", "left_out", "sources", "report", "content_version", "run_id"
    )
    return {**counts, "mode": "verify" if job.verify else "crawl", **rest}


def _print(job: "CrawlJob", call: Call) -> None:
    took = humane.seconds(job.seconds)
    seen = humane.count(job.seen, "file")
    if job.verify:
        output.line(f"compared {seen} with the archive of {job.dataset} in {took}: {job.known:,} are there")
    else:
        stored = f"{job.stored:,} stored ({humane.size(job.bytes)}), {job.known:,} known"
        output.line(f"crawled {seen} into {job.dataset} in {took}: {stored}, {job.skipped:,} skipped")
    if call.quiet:
        return
    for name, number in job.skipped_by.items():
        output.say(f"  skipped by --{name.replace('_', '-')}: {number:,}")
    if job.left_out:
        output.say(f"  left out, as they are no files of their own: {job.left_out:,}")
    if job.renamed:
        output.say(f"  stored under another path, as theirs cannot be one: {job.renamed:,}")
    if job.errors:
        what = "differs from the archive" if job.verify else "could not be read"
        output.warn(
            f"{humane.count(job.errors, 'error')}: {job.report} in the dataset's folder names what {what}"
        )
        if not job.verify:
            output.say(f"  try them again: lakehouse crawl -d {job.dataset} --retry-failed {job.run_id}")
