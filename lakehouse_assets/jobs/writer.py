"""Writing entities from a stage."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.jobs.context import current_collector
from lakehouse_assets.model.names import check_origin
from lakehouse_assets.operations.imports import ImportJob
from lakehouse_assets.operations.writer import JournalWriter
from lakehouse_assets.statements.inputs import Source

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy

    from lakehouse_assets.lake import Dataset


# what is told of an entity as it was read: when its statements were seen
_AS_READ = ("first_seen", "last_seen", "last_change")


class JobWriter(JournalWriter):
    """
    Takes the entities of a stage: `add`, `put` and `add_many`.

    An entity that was read from a dataset, and added to, is said by the stage, now: where and when it was read does not
    count.
    """

    def add(self, entity: "EntityProxy | Mapping[str, object]") -> None:
        """Take one entity: a mapping, a proxy of followthemoney or an entity of statements."""
        if not hasattr(entity, "statements"):
            data = entity if isinstance(entity, Mapping) else entity.to_dict()
            entity = {name: value for name, value in data.items() if name not in _AS_READ}
        super().add(entity)

    def put(self, entity: "EntityProxy | Mapping[str, object]") -> None:
        """The same as `add`."""
        self.add(entity)


def job_writer(dataset: "Dataset", origin: str) -> JobWriter:
    """A writer to a dataset: visible at once when it is closed, or with all else that a worker's stage did."""
    check_origin(origin)
    collector = current_collector()

    def confirm(sources: Sequence[Source]) -> ImportJob | None:
        if collector is not None:
            collector.write(dataset, origin, sources)
            return None
        done = import_written(dataset, origin, sources)
        dataset.flush()
        return done

    return JobWriter(confirm, dataset.lake.settings.temp_directory)


def import_written(dataset: "Dataset", origin: str, sources: Sequence[Source]) -> ImportJob:
    """Put what was written into the journal of a dataset."""
    job = ImportJob.make(
        dataset=dataset.name, files=[sources[0].name], origin=origin, override_origin=True, journal=True
    )
    return dataset.run_import(job, sources, None)
