"""
Bringing datasets: archived files first, then statements, documents, and what is made from them.

Nothing refers to what is not there yet, and a dataset is seen here as soon as it has its config.yml. Whoever is
interrupted leaves what the next pull finds and goes on with.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args

from lakehouse_assets import layout
from lakehouse_assets.errors import Damaged, Diverged, InvalidData
from lakehouse_assets.model.times import iso
from lakehouse_assets.replicas.archives import bring_archive, count_missing
from lakehouse_assets.replicas.artifacts import (
    ExportPlan,
    bring_export,
    bring_mapping_runs,
    bring_snapshots,
    plan_exports,
    statement_tags,
    tag_times,
    write_tags,
)
from lakehouse_assets.replicas.documents import (
    Document,
    bring_documents,
    compare_documents,
    follow_shards,
    followed_deletion,
    note_deletion,
    shards_of,
)
from lakehouse_assets.replicas.steps import DatasetStep, Progress, Pulled, Resolve, State, silent
from lakehouse_assets.replicas.tables import Side, TablePlan, bring_table, plan_table, standing
from lakehouse_assets.replicas.union import resolved
from lakehouse_assets.settings import Settings
from lakehouse_assets.statements.journal import Journal
from lakehouse_assets.storage.deletions import delete_dataset
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

# where the table changes here
_MOVED = ("new", "behind", "diverged")


class Exchange:
    """
    One dataset, here and there.

    Example:
        >>> exchange = Exchange("acme", Location("copy"), Location("data"), settings)
        >>> exchange.plan().state
        'new'
    """

    def __init__(self, name: str, here: Location, there: Location, settings: Settings) -> None:
        """The dataset of a name in the folders of two lakes."""
        self.name, self._lake = name, here
        self._here, self._there = here / name, there / name
        self._settings = settings

    def plan(self, *, shallow: bool = False, resolve: Resolve | None = None) -> DatasetStep:
        """What a pull would do; nothing is changed."""
        here, there = self._sides()
        table = plan_table(here, there, shallow=shallow)
        documents = compare_documents(self._here, self._there)
        archive = count_missing(self._here, self._there, later=_is_later(table))
        step = self._step(table, documents, resolve)
        exports = self._exports(here, there, table)
        step = replace(
            step,
            blobs=archive.blobs,
            blobs_there=archive.there,
            files=len(table.files),
            versions=len(table.versions),
            bytes=archive.bytes + table.bytes + sum(plan.bytes for plan in exports),
            exports=tuple(plan.export.name for plan in exports),
        )
        return replace(step, state="behind") if step.state == "same" and step.brings else step

    def stand(self) -> DatasetStep:
        """How the statements here stand to those there."""
        here, there = self._sides()
        found = standing(here.log, there.log)[0]
        return DatasetStep(self.name, "same" if found == "none" else found)

    def glance(self) -> DatasetStep:
        """How the statements and documents here stand to those there; archived files are not listed for it."""
        step = self.stand()
        documents = compare_documents(self._here, self._there)
        taken = tuple(each.key for each in documents if each.is_taken(None))
        apart = tuple(each.key for each in documents if each.verdict == "conflict")
        state: State = "behind" if step.state == "same" and taken else step.state
        return replace(step, state=state, documents=taken, conflicts=apart)

    def pull(
        self,
        *,
        shallow: bool = False,
        resolve: Resolve | None = None,
        conclude: Callable[[str], None],
        progress: Progress = silent,
    ) -> tuple[DatasetStep, list[str]]:
        """Bring it; returns what was done, and the checksums of contents that are damaged there."""
        here, there = self._sides()
        before = plan_table(here, there, shallow=shallow)
        documents = compare_documents(self._here, self._there)
        step = self._step(before, documents, resolve)
        refuse([step], resolve)
        if before.standing == "diverged" and resolve == "union":
            self._check_shards()
        archive = bring_archive(
            self._here,
            self._there,
            later=_is_later(before),
            # nothing of the archive is collected as garbage meanwhile, which waits for what is known of it
            mark=lambda: here.leases.mark(layout.STAGING, {"folder": layout.ARCHIVE}),
            progress=progress,
        )
        unfinished = self._here.exists(layout.REPLICA_BEGUN)
        if before.standing in _MOVED or step.documents:
            self._here.write(layout.REPLICA_BEGUN, b"{}")
        table, files = before, 0
        if before.standing in _MOVED:
            table, files = self._bring_table(progress, shallow=shallow, resolve=resolve)
        taken = bring_documents(self._here, documents, resolve=resolve)
        follows = _is_later(table) or (table.standing == "diverged" and resolve == "theirs")
        if follows:
            follow_shards(self._here, self._there)
        exports = self._bring_artifacts(table, follows=follows or unfinished)
        copied = archive.bytes + table.bytes + sum(plan.bytes for plan in exports)
        step = replace(
            step,
            blobs=archive.blobs,
            blobs_there=archive.there,
            files=files,
            versions=len(table.versions),
            documents=tuple(taken),
            exports=tuple(plan.export.name for plan in exports),
            bytes=copied,
        )
        if step.brings or archive.small or unfinished:
            bring_snapshots(self._here, self._there)
            if self._there.exists(layout.INDEX):
                conclude(self.name)
            step = replace(step, state="behind") if step.state == "same" else step
        self._here.delete(layout.REPLICA_BEGUN)
        return step, archive.quarantined

    def plan_deletion(self, at: datetime) -> DatasetStep:
        """What becomes of a dataset that was deleted there: it is deleted here, too, unless it has more here."""
        step = self.stand()
        if followed_deletion(self._here) == iso(at):
            # it was brought back since
            return replace(step, state="ahead")
        return replace(step, state="ahead" if step.state in ("ahead", "diverged") else "deleted")

    def follow_deletion(self, at: datetime) -> DatasetStep:
        """Delete it here, so that it can be brought back, if the one there was deleted and nothing is missing there."""
        step = self.plan_deletion(at)
        if step.state == "deleted":
            note_deletion(self._here, iso(at))
            delete_dataset(self._lake, self.name)
        return step

    def _sides(self) -> tuple[Side, Side]:
        return Side(self._here, self._settings), Side(self._there, self._settings)

    def _step(self, table: TablePlan, documents: Sequence[Document], resolve: Resolve | None) -> DatasetStep:
        is_here = self._here.exists(layout.CONFIG)
        found = "same" if table.standing == "none" else table.standing
        state: State = "new" if not is_here and found in ("same", "behind") else found
        return DatasetStep(
            self.name,
            state,
            conflicts=tuple(each.key for each in documents if each.verdict == "conflict"),
            waiting=sum(segment.rows for segment in Journal(self._there).waiting()),
            documents=tuple(each.key for each in documents if each.is_taken(resolve)),
        )

    def _check_shards(self) -> None:
        """Rows can only be put beside others that lie in as many shards."""
        ours, theirs = shards_of(self._here), shards_of(self._there)
        if ours != theirs:
            msg = (
                f"{self.name} has {ours} shards here and {theirs} there, so there is no union of their statements, and "
                "it stays as it was. Take those of one side, or import an export of the other"
            )
            raise InvalidData(msg)

    def _bring_table(
        self, progress: Progress, *, shallow: bool, resolve: Resolve | None
    ) -> tuple[TablePlan, int]:
        """Bring the table as it is there now; it may have been changed since it was looked at first."""
        here, there = self._sides()
        with there.reader.held() as snapshot:
            there = Side(self._there, self._settings, upto=snapshot.version if snapshot else None)
            table = plan_table(here, there, shallow=shallow)
            if snapshot is None:
                return table, 0
            if table.standing == "diverged":
                refuse([DatasetStep(self.name, "diverged")], resolve)
                return resolved(here, there, snapshot, resolve)
            if table.standing in ("new", "behind"):
                return table, bring_table(here, there, snapshot, table, progress)
        return table, 0

    def _exports(self, here: Side, there: Side, table: TablePlan) -> list[ExportPlan]:
        """The exports that belong to the table as it is, or will be, here."""
        if not table.is_copy:
            return []
        side = there if _is_later(table) else here
        return plan_exports(here, there, side.table.content_version())

    def _bring_artifacts(self, table: TablePlan, *, follows: bool) -> list[ExportPlan]:
        """Bring what was made from these very statements; `follows` says that they became what they are there."""
        here, there = self._sides()
        exports, tags = [], []
        # the versions of one number are the same, so what was made from one of them there belongs to it here
        if table.is_copy:
            for plan in plan_exports(here, there, here.table.content_version()):
                found = bring_export(here, there, plan)
                if found is not None:
                    exports.append(plan)
                    tags += found
        if follows:
            tags += bring_mapping_runs(self._here, self._there)
        statements = follows and table.is_copy
        write_tags(self._here, self._times(here, tags, statements=statements))
        return exports

    def _times(self, here: Side, tags: Sequence[str], *, statements: bool) -> dict[str, datetime]:
        """The times of tags there; of partitions only if nothing was merged there since: they must hold here, too."""
        found = tag_times(self._there, tags)
        if statements:
            more = tag_times(self._there, statement_tags(self._there))
            if Side(self._there, self._settings).log.head == here.log.head:
                found |= more
        return found


def plan_all(
    here: Location,
    there: Location,
    names: Sequence[str],
    settings: Settings,
    *,
    shallow: bool = False,
    deleted: Mapping[str, datetime] | None = None,
) -> list[DatasetStep]:
    """What a pull would do with each of these datasets of the lake there, and with some that were deleted there."""
    steps = [Exchange(name, here, there, settings).plan(shallow=shallow) for name in names]
    gone = [Exchange(name, here, there, settings).plan_deletion(at) for name, at in (deleted or {}).items()]
    return sorted([*steps, *gone], key=lambda step: step.name)


def pull_all(
    here: Location,
    there: Location,
    names: Sequence[str],
    settings: Settings,
    *,
    shallow: bool = False,
    resolve: Resolve | None = None,
    deleted: Mapping[str, datetime] | None = None,
    conclude: Callable[[str], None],
    progress: Progress | None = None,
) -> Pulled:
    """
    Bring datasets, one after the other; `conclude` writes the index of one whose exports are listed there.

    `deleted` are those that were deleted there, with the time since when they are.

    Diverged before anything is changed when one was changed on both sides, and nobody says what becomes of it.
    """
    _check(here, there, resolve)
    exchanges = [Exchange(name, here, there, settings) for name in names]
    refuse([exchange.stand() for exchange in exchanges], resolve)
    steps: list[DatasetStep] = []
    quarantined: list[str] = []
    damaged: list[Damaged] = []
    for name, at in (deleted or {}).items():
        steps.append(Exchange(name, here, there, settings).follow_deletion(at))
    for exchange in exchanges:
        try:
            step, bad = exchange.pull(
                shallow=shallow, resolve=resolve, conclude=conclude, progress=progress or silent
            )
        except Damaged as exc:
            # what is wrong with one dataset is no reason to leave the others
            damaged.append(exc)
            continue
        steps.append(step)
        quarantined += [f"{exchange.name}/{checksum}" for checksum in bad]
        log.info("%s from %s: %s", exchange.name, there.uri, step)
    if damaged:
        told = "; ".join(str(exc) for exc in damaged)
        msg = f"{told}. These datasets stay as they were, {len(steps)} others were brought"
        raise Damaged(msg)
    return total(steps, quarantined)


def _check(here: Location, there: Location, resolve: Resolve | None) -> None:
    if here == there:
        msg = f"{here.uri} is the same lake; name another one"
        raise InvalidData(msg)
    if resolve not in (None, *get_args(Resolve)):
        msg = f"not a way to resolve: {resolve!r}; write union, ours or theirs"
        raise InvalidData(msg)


def refuse(steps: Sequence[DatasetStep], resolve: Resolve | None) -> None:
    """Raise Diverged where statements were changed on both sides, and nobody said what becomes of them."""
    apart = [step.name for step in steps if step.state == "diverged"]
    if apart and resolve is None:
        msg = (
            f"{', '.join(map(repr, apart))}: statements were changed here and there, so neither is a later state of "
            "the other; nothing was changed. Pull with resolve='union' (--resolve union) to have all of both, with "
            "'ours' or 'theirs' to have those of one side alone"
        )
        raise Diverged(msg, labels=apart)


def _is_later(table: TablePlan) -> bool:
    return table.standing in ("new", "behind")


def total(steps: Sequence[DatasetStep], quarantined: Sequence[str]) -> Pulled:
    """What was brought of several datasets."""
    brought = [step for step in steps if step.brings]
    return Pulled(
        datasets=tuple(step.name for step in brought),
        blobs_moved=sum(step.blobs for step in steps),
        blobs_skipped=sum(step.blobs_there for step in steps),
        files=sum(step.files for step in steps),
        versions=sum(step.versions for step in steps),
        bytes=sum(step.bytes for step in steps),
        quarantined=tuple(quarantined),
        same=tuple(step.name for step in steps if not step.brings),
        steps=tuple(steps),
    )
