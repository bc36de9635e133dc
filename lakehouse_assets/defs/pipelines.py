"""The pipeline.yml of all datasets, for sensors that go by them."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.names import is_dataset_name
from lakehouse_assets.model.pipeline import PipelineConfig
from lakehouse_assets.storage.parallel import in_parallel

# an object store takes its time for each answer, and gives many at once
_WORKERS = 16


def pipelines_of(
    context: dg.SensorEvaluationContext, naming: Naming, lake: Lake
) -> Iterator[tuple[Dataset, PipelineConfig]]:
    """Each dataset that is a partition, with what its pipeline.yml says; one that is unreadable holds up no other."""
    known = context.instance.get_dynamic_partitions(naming.partition_set)
    # anybody may add a partition by hand, of any name
    names = sorted(name for name in known if is_dataset_name(name))
    look = map if lake.location.path is not None else partial(in_parallel, workers=_WORKERS)
    for dataset, found in look(partial(_read, lake), names):
        if isinstance(found, PipelineConfig):
            yield dataset, found
        else:
            context.log.warning(f"{dataset.name} is left out: {found}")


def _read(lake: Lake, name: str) -> tuple[Dataset, PipelineConfig | LakehouseError]:
    # that it is there need not be asked: without it there is no pipeline.yml either
    dataset = Dataset(lake, name)
    try:
        return dataset, dataset.pipeline
    except LakehouseError as exc:
        return dataset, exc
