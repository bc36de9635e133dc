"""`archive`: the source files of a dataset."""

import hashlib
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    from lakehouse_assets.archive.files import ArchivedFile
    from lakehouse_assets.lake import Dataset
    from lakehouse_assets.operations import DownloadArchiveJob

# more than anybody looks through: they are not sorted
_MOST_SORTED = 10_000
_MOST_NAMED = 5
# enough to tell the files of a large archive apart
_DIGITS = 12
_CHUNK = 1 << 20

verbs = typer.Typer()
group = verb_group(
    verbs,
    "archive",
    about="List, print, verify and download the source files of a dataset.",
    example="lakehouse archive ls -d eu_list",
)


@verb(group, "ls", example="lakehouse archive ls -d eu_list --glob 'contracts/*.pdf'")
def list_files(
    call: Call,
    glob: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="With a path like this; * crosses /.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this origin: crawl, archive ...")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many.")] = None,
) -> None:
    """
    List the files: checksum, size, type and path.

    They are sorted by path; if there are more than 10,000, by checksum. With --json all that is known of each is told.
    """
    dataset = call.dataset()
    files = dataset.archive.files(origin)
    if glob is not None:
        files = (file for file in files if fnmatchcase(file.key, glob))
    files = islice(files, limit)
    if call.as_json:
        _print_json(dataset.name, files)
        return
    first = list(islice(files, _MOST_SORTED))
    rest = next(files, None)
    if rest is None:
        first.sort(key=lambda file: (file.key, file.id))
        output.table(["checksum", "size", "type", "path"], map(_row, first), numbers=["size"])
        return
    for file in chain(first, [rest], files):
        checksum, size, mimetype, path = _row(file)
        output.line(f"{checksum}  {size:>8}  {mimetype}  {output.visible(path)}")


@verb(group, "cat", example="lakehouse archive cat -d eu_list 6f4887ab12cd > contract.pdf")
def cat(
    call: Call,
    checksum: Annotated[
        str,
        typer.Argument(
            metavar="HASH", help="The checksum, or its first digits, at least six.", show_default=False
        ),
    ],
) -> None:
    """Print the content of a file, or with --json what is known of it."""
    dataset = call.dataset()
    archive = dataset.archive
    found = archive.find(checksum)
    if call.as_json:
        files = [file.to_dict() for file in archive.get_all_files(found)]
        output.document({"dataset": dataset.name, "checksum": found, "files": files})
        return
    digest = hashlib.sha256()
    with archive.open(found) as stream:
        while chunk := stream.read(_CHUNK):
            output.write(chunk)
            digest.update(chunk)
    if digest.hexdigest() != found:
        msg = f"what was printed is corrupted: its checksum is {digest.hexdigest()}; run `lakehouse archive verify`"
        raise InvalidData(msg)


@verb(group, "verify", example="lakehouse archive verify -d eu_list")
def verify(call: Call) -> int:
    """
    Read every file and compare it with its checksum.

    Bytes that are wrong move to quarantine/blobs in the dataset's folder; what is known of them stays, and the next
    crawl of their source brings them back. The exit code is 3 if any are wrong or gone.
    """
    dataset = call.dataset()
    began = time.monotonic()
    with Bar("verifying", shown=not call.quiet) as progress:
        report = dataset.archive.verify(progress)
    seconds = time.monotonic() - began
    if report.quarantined:
        reporting.report(dataset)
    bad = [
        {"checksum": checksum, "reason": reason, "paths": _paths(dataset, checksum)}
        for checksum, reason in report.bad
    ]
    if call.as_json:
        counts = {"blobs": report.blobs, "bytes": report.bytes, "seconds": round(seconds, 3)}
        output.document({"dataset": dataset.name, **counts, "bad": bad, "quarantined": report.quarantined})
    else:
        read = (
            f"{humane.count(report.blobs, 'file')}, {humane.size(report.bytes)} in {humane.seconds(seconds)}"
        )
        output.line(f"read {read}: {humane.count(len(bad)) + ' bad' if bad else 'all are as they were'}")
        for each in bad:
            output.line(f"{each['checksum']}  {', '.join(each['paths']) or 'no path'}: {each['reason']}")
    return DONE_WITH_ERRORS if bad else DONE


@verb(group, "download", example="lakehouse archive download -d eu_list files")
def download(
    call: Call,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A folder, or a URL like s3://bucket/files.", show_default=False
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Compare every file, even if nothing changed since the last time.")
    ] = False,
) -> int:
    """
    Bring all files back to the paths that they came from.

    Each is compared with its checksum. Those that are there already stay, so an interrupted download goes on where it
    was. Paths that no disk takes, and those that clash, are changed, and named. The exit code is 3 if any is missing.
    """
    dataset = call.dataset()
    with Bar("downloading", shown=not call.quiet) as progress:
        job = dataset.download(target, force=force, progress=progress)
    reporting.report(dataset)
    if call.as_json:
        counts = output.fields(job, "dataset", "target", "done", "skipped", "errors", "replaced", "renamed")
        output.document({**counts, **output.fields(job, "bytes", "seconds", "renames", "failed", "run_id")})
    else:
        _print_download(job, call)
    if not (job.done or job.skipped or job.errors) and next(dataset.archive.files(), None) is not None:
        output.warn(
            "there are files, but no documents that tell their paths: crawl their source with --entities"
        )
    return DONE_WITH_ERRORS if job.errors else DONE


def _print_download(job: "DownloadArchiveJob", call: Call) -> None:
    files, there = humane.count(job.done, "file"), humane.count(job.skipped)
    took = f"{humane.size(job.bytes)} in {humane.seconds(job.seconds)}"
    output.line(f"downloaded {files} of {job.dataset} to {job.target}, {took}; {there} were there")
    if job.replaced:
        output.warn(f"{humane.count(job.replaced, 'file')} had other bytes there, and were replaced")
    if job.renamed and not call.quiet:
        output.warn(f"{humane.count(job.renamed, 'file')} could not keep the path:")
        _print_some([f"{each.path} is at {each.place}" for each in job.renames], job.renamed)
    if job.errors:
        output.warn(f"{humane.count(job.errors, 'file')} could not be downloaded:")
        _print_some([f"{each.path}: {each.reason}" for each in job.failed], job.errors)


def _print_some(lines: list[str], count: int) -> None:
    for text in lines[:_MOST_NAMED]:
        output.say(f"  {output.visible(text)}")
    if count > _MOST_NAMED:
        output.say(f"  and {count - _MOST_NAMED:,} more; --json names them")


def _row(file: "ArchivedFile") -> tuple[str, str, str, str]:
    return file.checksum[:_DIGITS], humane.size(file.size), file.mimetype, file.key


def _paths(dataset: "Dataset", checksum: str) -> list[str]:
    return [file.key for file in dataset.archive.get_all_files(checksum)]


def _print_json(name: str, files: "Iterable[ArchivedFile]") -> None:
    """One JSON object, written piece by piece: an archive may have a million files."""
    output.write(f'{{"dataset": "{name}", "files": ['.encode())
    count = size = 0
    for file in files:
        output.write((b",\n" if count else b"\n") + file.to_json())
        count += 1
        size += file.size
    output.write(f'], "count": {count}, "bytes": {size}}}\n'.encode())
