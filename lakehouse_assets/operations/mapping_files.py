"""The mappings of a dataset with all that can be done with them."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound
from lakehouse_assets.mapping.config import DatasetMapping
from lakehouse_assets.mapping.loading import load_mapping
from lakehouse_assets.mapping.run import look_at
from lakehouse_assets.mapping.store import Mappings
from lakehouse_assets.model.documents import read_yaml
from lakehouse_assets.operations.mapping_following import Followed, follow
from lakehouse_assets.operations.mapping_states import MappingState, file_names, mapping_state, readable
from lakehouse_assets.operations.mappings import MappingJob, MappingOperation
from lakehouse_assets.operations.repositories import Progress, Repositories

log = logging.getLogger(__name__)

NO_MAPPINGS = "none"

# in the place of a file that is not archived yet
_NO_HASH = "0" * 64


@dataclass(frozen=True)
class Added:
    """
    A mapping that was added, or found as it was.

    `read_as` says how its file will be read, `missing` names the columns that it does not have. `replaces` are the
    files whose mappings it takes the place of, when it is run.
    """

    mapping: DatasetMapping
    changed: bool
    files: Sequence[str]
    read_as: Sequence[dict[str, str]]
    missing: Sequence[str]

    @property
    def replaces(self) -> Sequence[str]:
        """The files whose mappings it takes the place of."""
        return self.mapping.replaces


@dataclass(frozen=True)
class Ran:
    """A mapping that was run: its job, or the error that it failed with."""

    content_hash: str
    job: MappingJob | None = None
    error: LakehouseError | None = None


class MappingFiles(Mappings):
    """
    The mappings of a dataset: `get`, `list`, `put`, and beside that adding one for a file, and running them.

    Example:
        >>> added = acme.mappings.add("companies.yml", file="companies.csv")
        >>> acme.mappings.run_one(added.mapping.content_hash).entities
        290
    """

    def __init__(self, parts: Repositories) -> None:
        super().__init__(parts.location, parts.versions, dataset=parts.name)
        self._parts = parts

    def add(
        self,
        path: str | Path,
        *,
        file: str | Path | None = None,
        content_hash: str | None = None,
        key: str | None = None,
        beside: bool = False,
    ) -> Added:
        """
        Keep the mapping in a YAML file, for a table that is archived now (`file`, a path or URL) or was before.

        A mapping of an earlier file of the same path is replaced: what it made is deleted when this one is run. With
        `beside` both stay. InvalidData names the places of all that is wrong, and when the file is no table.
        """
        try:
            data, place = Path(path).read_bytes(), str(path)
        except FileNotFoundError as exc:
            msg = f"{path} does not exist; write there what becomes of the table's rows, as for `ftm map`"
            raise NotFound(msg) from exc
        given = _NO_HASH if file is not None else content_hash
        if given is None and "content_hash" not in read_yaml(data, place, texts=True):
            msg = (
                f"{place} does not say which table it is for; give a file, or the checksum of an archived one"
            )
            raise InvalidData(msg)
        mapping = load_mapping(data, place, dataset=self._parts.name, content_hash=given)
        if file is not None:
            try:
                stored = self._parts.archive.store(file, key=key)
            except NotFound as exc:
                msg = f"{exc}, or by its checksum a table that is archived already"
                raise NotFound(msg) from exc
            mapping = mapping.with_changes(content_hash=stored.checksum)
        files = file_names(self._parts.archive, mapping.content_hash)
        with self._parts.archive.local_path(mapping.content_hash) as local:
            read_as, missing = look_at(mapping, local, name=files[0] if files else mapping.content_hash)
        earlier = [] if beside else self._same_path(mapping.content_hash, files)
        mapping = mapping.with_changes(replaces=earlier)
        changed = self.put(mapping)
        self._take_back(mapping.content_hash)
        return Added(
            mapping, changed, files, [dict(each) for each in read_as], [str(column) for column in missing]
        )

    def run_one(
        self,
        content_hash: str,
        *,
        force: bool = False,
        journal: bool = False,
        progress: Progress | None = None,
    ) -> MappingJob:
        """Run the mapping of a file, unless it ran as it is now; with `journal` what it makes waits there."""
        job = MappingJob.make(dataset=self._parts.name, content_hash=content_hash, journal=journal)
        return MappingOperation(job, repositories=self._parts, progress=progress).run(force=force)

    def run(
        self,
        hashes: Sequence[str] | None = None,
        *,
        force: bool = False,
        journal: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Ran]:
        """
        Run some mappings, by default all that were not replaced, one after the other; one that fails stops none.

        When all are run, those of which a newer file was archived go over to that first. With `journal` what they make
        waits there for the next flush.
        """
        if hashes is None:
            self.follow()
        for content_hash in dict.fromkeys(self.wanted() if hashes is None else hashes):
            try:
                yield Ran(
                    content_hash, self.run_one(content_hash, force=force, journal=journal, progress=progress)
                )
            except LakehouseError as exc:
                yield Ran(content_hash, error=exc)

    def follow(self) -> list[Followed]:
        """Give newer files the mappings of those before them at the same path."""
        return follow(self, self._parts)

    def version(self) -> str:
        """Another text as soon as a mapping ran that had changed; `none` without mappings."""
        digests = []
        for content_hash in self.hashes():
            record = self._parts.records.get(layout.mapping_tag(content_hash))
            digests.append(f"{content_hash}:{record.digest if record else ''}")
        return hashlib.sha256("\n".join(digests).encode()).hexdigest() if digests else NO_MAPPINGS

    def wanted(self) -> list[str]:
        """The files whose mappings are run: all but those that were replaced."""
        return [state.content_hash for state in self.states() if state.replaced_by is None]

    def states(self) -> list[MappingState]:
        """The state of each mapping, by checksum."""
        taken = {earlier: other.content_hash for other in readable(self) for earlier in other.replaces}
        return [self._state(content_hash, taken.get(content_hash)) for content_hash in self.hashes()]

    def _state(self, content_hash: str, replaced_by: str | None) -> MappingState:
        state = mapping_state(self._parts, content_hash)
        if replaced_by is not None:
            return replace(state, replaced_by=replaced_by, why=f"replaced by {replaced_by}")
        try:
            mapping = self.get(content_hash)
        except InvalidData as exc:
            return replace(state, problem=str(exc))
        schemata = dict.fromkeys(entity.schema_name for _, _, entity in mapping.entities())
        return replace(state, schemata=list(schemata))

    def _same_path(self, content_hash: str, files: Sequence[str]) -> list[str]:
        """The other mapped files that lie, or lay, where this one lies."""
        others = [other for other in self.hashes() if other != content_hash]
        return [other for other in others if {*file_names(self._parts.archive, other)} & {*files}]

    def _take_back(self, content_hash: str) -> None:
        """Let no other mapping replace one that was just added."""
        for other in list(readable(self)):
            if content_hash in other.replaces:
                kept = [earlier for earlier in other.replaces if earlier != content_hash]
                self.put(other.with_changes(replaces=kept))
