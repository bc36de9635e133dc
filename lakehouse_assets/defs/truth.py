"""What the lake itself says of a dataset's assets: in which version they are, and whether they are behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lakehouse_assets import layout
from lakehouse_assets.defs import artifacts, metadata
from lakehouse_assets.defs.archive import of_archive, of_listing
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.crawls import of_crawls
from lakehouse_assets.defs.differences import of_differences
from lakehouse_assets.defs.journal import of_journal
from lakehouse_assets.defs.mappings import of_mappings
from lakehouse_assets.defs.metadata import Metadata
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import CrawlJob, ImportJob
from lakehouse_assets.operations.freshness import Freshness

MADE_OUTSIDE = "made outside Dagster"

_GONE = "gone"


@dataclass(frozen=True)
class Truth:
    """
    An asset as it lies in the lake.

    `version` is None as long as it was never made. `behind` names the assets that have changed since it was made from
    them, `why` is one sentence for people, `metadata` is only worked out when it is told.
    """

    artifact: Artifact
    version: str | None
    metadata: Callable[[], Metadata]
    behind: frozenset[str] = frozenset()
    why: str = MADE_OUTSIDE


@dataclass(frozen=True)
class Told:
    """
    What somebody who did something to a dataset knows of it: the job's counts are shown.

    A `glance` leaves out what needs all statements, or all files, to be counted.
    """

    imported: ImportJob | None = None
    crawled: CrawlJob | None = None
    glance: bool = False


_NOTHING = Told()


def truths_of(dataset: Dataset, told: Told = _NOTHING) -> Iterator[Truth]:
    """All assets of a dataset, each after those that it is made from."""
    yield archive_truth(dataset, told)
    yield mappings_truth(dataset)
    yield journal_truth(dataset)
    yield statements_truth(dataset, told)
    for artifact in artifacts.EXPORTS:
        yield export_truth(dataset, artifact)
    for artifact in artifacts.DIFFS:
        yield diff_truth(dataset, artifact)
    yield export_truth(dataset, artifacts.DATASET_INDEX)


def archive_truth(dataset: Dataset, told: Told = _NOTHING) -> Truth:
    """The source files."""
    if told.glance:
        listing = dataset.archive.version()
        return Truth(artifacts.SOURCE_FILES, listing, lambda: of_listing(dataset))
    if told.crawled is None:
        return Truth(
            artifacts.SOURCE_FILES,
            dataset.archive.version(),
            lambda: of_archive(dataset, dataset.archive.summary()),
        )
    summary, crawled = dataset.archive.summary(), told.crawled
    return Truth(
        artifacts.SOURCE_FILES,
        summary.listing.version,
        lambda: {**of_archive(dataset, summary), **of_crawls(dataset, [crawled])},
    )


def mappings_truth(dataset: Dataset) -> Truth:
    """The mappings: behind as soon as one of them would make something else of its file."""
    mappings = dataset.mappings
    stale = [state for state in mappings.states() if state.replaced_by is None and not state.fresh]
    return Truth(
        artifacts.TABLE_MAPPINGS,
        mappings.version(),
        lambda: of_mappings(dataset),
        behind=frozenset(artifacts.TABLE_MAPPINGS.deps if stale else ()),
        why=f"{len(stale)} mappings did not run as they are now" if stale else MADE_OUTSIDE,
    )


def journal_truth(dataset: Dataset) -> Truth:
    """What programs wrote."""
    return Truth(artifacts.WRITTEN, dataset.statements.journal.version(), lambda: of_journal(dataset))


def statements_truth(dataset: Dataset, told: Told = _NOTHING) -> Truth:
    """The statements: behind while something waits in the journal."""
    waiting = sum(segment.rows for segment in dataset.statements.journal.waiting())
    return Truth(
        artifacts.STATEMENT_TABLE,
        dataset.content_version(),
        lambda: (
            metadata.of_statements_at_a_glance(dataset)
            if told.glance
            else metadata.of_statements(dataset, told.imported)
        ),
        behind=frozenset(artifacts.STATEMENT_TABLE.deps if waiting else ()),
        why=f"{waiting:,} statements wait in the journal" if waiting else MADE_OUTSIDE,
    )


def export_truth(dataset: Dataset, artifact: Artifact) -> Truth:
    """An export, or the index."""
    state = dataset.freshness(artifact.name)
    version = state.version
    if version is None and (state.made_from or state.written_at is not None):
        version = _GONE
    return Truth(
        artifact,
        version,
        lambda: metadata.of_freshness(dataset, artifact, state),
        behind=frozenset() if state.fresh else _behind(artifact, state),
        why=MADE_OUTSIDE if state.fresh else state.why,
    )


def diff_truth(dataset: Dataset, artifact: Artifact) -> Truth:
    """The differences of an export."""
    status = dataset.differences.status(artifact.name)
    newest = {name: state.last.counts for name, state in status.states.items() if state.last is not None}
    return Truth(
        artifact,
        status.version if status.states else None,
        lambda: of_differences(dataset, status, newest),
        behind=frozenset() if status.fresh else frozenset(artifact.deps),
        why=MADE_OUTSIDE if status.fresh else status.why,
    )


def _behind(artifact: Artifact, state: Freshness) -> frozenset[str]:
    """The assets that changed since a file was made; all, when something else is the matter with it."""
    changed = {
        asset
        for name in {*state.current, *state.made_from}
        if state.current.get(name) != state.made_from.get(name)
        for asset in _ASSETS.get(name, ())
    }
    return frozenset(changed.intersection(artifact.deps) or artifact.deps)


_ASSETS: dict[str, tuple[str, ...]] = {
    "statements": (artifacts.STATEMENTS,),
    "config": (artifacts.CONFIG,),
    **{artifact.path: (artifact.asset,) for artifact in artifacts.EXPORTS},
    layout.DOCUMENTS_CRAWL: ("documents_csv",),
    layout.DELTA_INDEX: tuple(artifact.asset for artifact in artifacts.DIFFS),
}
"""What exports and the index call the things that they are made from, with the assets behind them."""
