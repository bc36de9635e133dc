"""entities.ftm.json: every entity, one line of JSON each."""

from collections.abc import Iterator, Sequence

from lakehouse_assets import layout
from lakehouse_assets.exports.base import MAX_NAMED, DatasetView, ExportResult, digested_output
from lakehouse_assets.exports.digests import ID
from lakehouse_assets.exports.entities import COLUMNS, EntityLines, KeptLines, render_entities
from lakehouse_assets.exports.grouping import entity_frames


class EntitiesJson:
    """
    All entities, each whole: merged over origins, fragments and buckets.

    An entity whose rows are of schemata that do not go together is written as what they have in common, and
    named in the notes.
    """

    name = "entities"
    target = layout.ENTITIES
    asset = "entities_json"
    targets = (layout.ENTITIES,)
    version = 1
    is_compressed = True
    is_published = False
    sources: Sequence[str] = (layout.STATEMENTS_TABLE,)

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write the file; without entities it is empty."""
        incompatible: list[str] = []
        count = 0
        with digested_output(
            view,
            self.target,
            diff=layout.DIFF_ENTITIES,
            keys=[ID],
            compression=view.config.compression,
        ) as (file, digests):
            for found in self._rendered(view):
                file.write_rows(found.data, rows=len(found))
                if digests is not None:
                    digests.add(found.ids.alias(ID).to_frame(), found.digests, found.sizes)
                count += len(found.incompatible)
                incompatible += found.incompatible[: MAX_NAMED - len(incompatible)]
        if not count:
            return [file.result()]
        return [file.result(incompatible=incompatible, incompatible_count=count)]

    def _rendered(self, view: DatasetView) -> "Iterator[EntityLines | KeptLines]":
        if view.kept is None:
            for rows in entity_frames(view.reader, COLUMNS):
                yield render_entities(rows, view.dataset)
            return
        frames = view.kept.frames(
            f"{view.dataset}-{self.asset}-{self.version}",
            view.reader,
            lambda pace: entity_frames(view.reader, COLUMNS, pace),
            lambda rows: render_entities(rows, view.dataset).frame(),
        )
        yield from map(KeptLines, frames)
