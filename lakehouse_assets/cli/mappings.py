"""`map`: entities from archived tables."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS, FAILED
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset
    from lakehouse_assets.operations import MappingJob
    from lakehouse_assets.operations.mapping_files import Added
    from lakehouse_assets.operations.mapping_states import MappingState

# enough to tell the files of a large archive apart
_DIGITS = 12

verbs = typer.Typer()
group = verb_group(
    verbs,
    "map",
    about="Make entities from archived tables: CSV, xlsx and parquet.",
    example="lakehouse map add -d eu_list companies.yml --file companies.csv",
)


@verb(group, "add", example="lakehouse map add -d eu_list companies.yml --file companies.csv")
def add(
    call: Call,
    mapping: Annotated[
        str,
        typer.Argument(
            metavar="MAPPING.yml",
            help="What becomes of each row; a file for `ftm map` will do.",
            show_default=False,
        ),
    ],
    file: Annotated[
        str | None, typer.Option(metavar="PATH", help="The table, which is archived: a path or URL.")
    ] = None,
    content_hash: Annotated[
        str | None,
        typer.Option("--hash", metavar="HASH", help="The checksum of a table that is archived already."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where --file is archived; its own name by default.")
    ] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Keep the mapping of an earlier file of the same path, too.")
    ] = False,
) -> None:
    """
    Keep a mapping for a table; `map run` makes its entities.

    The mapping is checked, and the table is looked at: columns that it does not have are named. A newer file of a path
    takes the place of an earlier one, whose entities are deleted when the new mapping is run.
    """
    if file is not None and content_hash is not None:
        msg = "one table is meant: give --file or --hash, not both"
        raise WrongUsage(msg)
    if key is not None and file is None:
        msg = "--key says where --file is archived; give both"
        raise WrongUsage(msg)
    dataset = call.dataset()
    found = dataset.archive.find(content_hash) if content_hash is not None else None
    added = dataset.mappings.add(mapping, file=file, content_hash=found, key=key, beside=beside)
    if file is not None:
        reporting.report(dataset)
    if call.as_json:
        output.document(_added_document(dataset, added))
    else:
        _print_added(call, dataset, added)


@verb(group, "run", example="lakehouse map run -d eu_list")
def run(
    call: Call,
    hashes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HASH...",
            help="Checksums of mapped files, or their first digits; all by default.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run them even if nothing changed.")] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="Into the journal; `lakehouse flush` makes it visible.")
    ] = False,
) -> int:
    """
    Make the entities of mappings, those that changed since they ran.

    One commit each: what a mapping said before and does not say any more is deleted with it. Where a newer file of a
    path was archived, its mapping goes over to that first. Rows that cannot be read go to quarantine with their number;
    the exit code is 3 then.
    """
    dataset = call.dataset()
    mappings = dataset.mappings
    followed = [] if hashes else mappings.follow()
    wanted = [mappings.find(digits) for digits in hashes] if hashes else mappings.wanted()
    jobs: list[MappingJob] = []
    failed: dict[str, str] = {}
    with Bar("mapping", shown=not call.quiet) as progress:
        for ran in mappings.run(wanted, force=force, journal=journal, progress=progress):
            if ran.job is not None:
                jobs.append(ran.job)
            if ran.error is not None:
                failed[ran.content_hash] = str(ran.error)
    if not call.as_json:
        for each in followed:
            output.line(
                f"{output.visible(each.path)} changed: its mapping goes over to {each.newer[:_DIGITS]}"
            )
        for job in jobs:
            _print_run(call, job)
    for problem in failed.values():
        output.say(f"error: {output.visible(problem)}")
    if any(not job.skipped for job in jobs):
        reporting.report(dataset)
    if call.as_json:
        output.document(
            {**_run_document(dataset, jobs, failed), "followed": [asdict(each) for each in followed]}
        )
    elif not wanted:
        output.line(f"{dataset.name} has no mappings; `lakehouse map add -d {dataset.name}` adds one")
    if failed:
        return FAILED
    return DONE_WITH_ERRORS if any(job.errors for job in jobs) else DONE


@verb(group, "ls", example="lakehouse map ls -d eu_list")
def list_mappings(call: Call) -> None:
    """List the mappings: the file of each, what it makes, and whether it ran as it is now."""
    dataset = call.dataset()
    states = dataset.mappings.states()
    if call.as_json:
        output.document({"dataset": dataset.name, "mappings": [_state_document(state) for state in states]})
        return
    rows = [
        (
            state.content_hash[:_DIGITS],
            ", ".join(state.files) or "not archived",
            ", ".join(state.schemata) or "-",
            "fresh" if state.fresh else "stale",
            _why(state),
            "-" if state.rows is None else f"{state.rows:,}",
        )
        for state in states
    ]
    output.table(["file", "path", "makes", "state", "why", "statements"], rows, numbers=["statements"])


def _why(state: "MappingState") -> str:
    if state.replaced_by is not None:
        return f"replaced by {state.replaced_by[:_DIGITS]}"
    return state.problem or state.why


def _added_document(dataset: "Dataset", added: "Added") -> dict[str, object]:
    return {
        "dataset": dataset.name,
        "content_hash": added.mapping.content_hash,
        "files": list(added.files),
        "changed": added.changed,
        "read_as": list(added.read_as),
        "missing": list(added.missing),
        "replaces": list(added.replaces),
    }


def _print_added(call: Call, dataset: "Dataset", added: "Added") -> None:
    content_hash = added.mapping.content_hash
    what = "keeps" if added.changed else "has already"
    name = output.visible(", ".join(added.files) or content_hash)
    output.line(f"{dataset.name} {what} the mapping of {name}, {content_hash[:_DIGITS]}")
    if call.quiet:
        return
    for read_as in added.read_as:
        output.line(f"it is read as {_described(read_as)}")
    if added.missing:
        columns = output.visible(", ".join(added.missing))
        output.warn(f"the file has no column {columns}; what needs it stays empty")
    for earlier in added.replaces:
        output.warn(
            f"it takes the place of the mapping of {earlier[:_DIGITS]}, an earlier file of this path: what that made "
            "is deleted when this one is run; --beside keeps both"
        )
    output.line(f"`lakehouse map run -d {dataset.name}` makes its entities")


def _described(read_as: dict[str, str]) -> str:
    kind = read_as["format"]
    rest = [f"{name} {value!r}" for name, value in read_as.items() if name not in ("format", "header")]
    rest += [f"names of columns in row {read_as['header']}"] if "header" in read_as else []
    return output.visible(f"{kind}: {', '.join(rest)}" if rest else kind)


def _run_document(dataset: "Dataset", jobs: "list[MappingJob]", failed: dict[str, str]) -> dict[str, object]:
    fields = ["entities", "records", "rows", "deleted", "bytes", "seconds", "digest", "skipped", "errors"]
    told = [
        *fields,
        "files",
        "schemata",
        "missing",
        "rejected",
        "read_as",
        "replaced",
        "quarantine",
        "run_id",
    ]
    done = [job for job in jobs if not job.skipped]
    return {
        "dataset": dataset.name,
        **{
            name: sum(getattr(job, name) for job in done)
            for name in ("entities", "records", "rows", "deleted")
        },
        "bytes": sum(job.bytes for job in done),
        "seconds": round(sum(job.seconds for job in done), 3),
        "digest": dataset.content_version(),
        "skipped": bool(jobs) and not done,
        "errors": sum(job.errors for job in jobs),
        "artifacts": {job.content_hash: output.fields(job, *told) for job in jobs},
        "failed": failed,
    }


def _print_run(call: Call, job: "MappingJob") -> None:
    name = output.visible(", ".join(job.files) or job.content_hash[:_DIGITS])
    if job.skipped:
        output.line(f"{name}: nothing changed since it was mapped")
        return
    entities = humane.count(job.entities, "entity", "entities")
    statements = humane.count(job.rows, "statement")
    rows = humane.count(job.records, "row")
    output.line(f"{name}: made {entities} of {rows}, {statements} in {humane.seconds(job.seconds)}")
    if job.deleted:
        output.line(f"deleted {humane.count(job.deleted, 'statement')} that it does not say any more")
    if call.quiet:
        return
    if job.missing:
        output.warn(f"{name} has no column {output.visible(', '.join(job.missing))}")
    if job.rejected:
        output.warn(f"{humane.counts(job.rejected)} rejected by cleaning")
    if job.errors:
        rows = humane.count(job.errors, "row")
        output.warn(f"{rows} could not be read; see {job.quarantine} in the dataset's folder")


def _state_document(state: "MappingState") -> dict[str, object]:
    told = asdict(state)
    told["ran_at"] = iso_z(state.ran_at) if state.ran_at else None
    return told
