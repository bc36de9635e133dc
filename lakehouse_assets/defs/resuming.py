"""What has crawls continued that were left half done."""

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.archive.sources.http import masked
from lakehouse_assets.defs.artifacts import ARCHIVE
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.pipelines import pipelines_of
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.sources import SOURCES
from lakehouse_assets.defs.working import PARTITION, RUNNING, SENSOR, WAITING, datasets_at_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.model.pipeline import CrawlSource
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.crawling.states import CrawlState

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RESUME = "resume_crawls"

_DIGITS = 16
# what a run failed with, a server that is down, say, may be over then
_AGAIN = timedelta(hours=1)
_WITHIN = timedelta(days=2)


def resume_sensor(
    naming: Naming, job: "UnresolvedAssetJobDefinition", *, seconds: int
) -> dg.SensorDefinition:
    """Asks for a run that goes on with each crawl of a source of pipeline.yml that was left half done."""

    @dg.sensor(
        name=naming.name(RESUME),
        job=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Looks for bookmarks of crawls that nobody works on any more and that did not come to their end. "
        "Those of sources under `crawl:` in pipeline.yml are gone on with by a run, once for each state that they were "
        "left in; a run that failed while it crawled is tried again an hour later. A crawl by hand of another source "
        "is only shown, by the check `unfinished_state` of the archive.",
    )
    def resume_crawls(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lake = open_lake(context, naming)
        known = set(context.instance.get_dynamic_partitions(naming.partition_set))
        left: dict[str, list[tuple[CrawlSource, CrawlState]]] = {}
        for dataset, pipeline in pipelines_of(context, naming, lake):
            try:
                if pipeline.crawl and (found := dataset.sources.left()):
                    left[dataset.name] = found
            except LakehouseError as exc:
                context.log.warning(f"{dataset.name} is left out: {exc}")
        at_work = datasets_at_work(context.instance, (*RUNNING, *WAITING)) if left else set()
        requests = [_request(naming, name, found) for name, found in left.items() if name not in at_work]
        failed = _failed(context.instance, naming)
        requests += [_again(run) for name, run in failed.items() if name in known and name not in left]
        if not requests:
            reason = "no crawl was left half done"
            if left:
                reason = f"runs are at work on {', '.join(sorted(left))}"
            return dg.SensorResult(skip_reason=reason)
        return dg.SensorResult(run_requests=requests)

    return resume_crawls


def _request(naming: Naming, dataset: str, left: list[tuple[CrawlSource, CrawlState]]) -> dg.RunRequest:
    config = {"pipeline": True, "only": [masked(source.uri) for source, _ in left]}
    # where a crawl comes to no end and gets no further, asking again would not help
    states = ",".join(f"{state.job}-{state.generation}-{state.hash[:_DIGITS]}" for _, state in left)
    return dg.RunRequest(
        partition_key=dataset,
        run_key=f"{dataset}:{states}",
        run_config={"ops": {naming.op(ARCHIVE): {"config": config}}},
    )


def _failed(instance: dg.DagsterInstance, naming: Naming) -> dict[str, dg.DagsterRun]:
    """The newest run that a sensor asked for, of each dataset whose sources it could not crawl, some time ago."""
    now, newest = now_utc(), dict[str, dg.RunRecord]()
    for sensor in (SOURCES, RESUME):
        filters = dg.RunsFilter(tags={SENSOR: naming.name(sensor)}, created_after=now - _WITHIN)
        for record in instance.get_run_records(filters):
            name = record.dagster_run.tags.get(PARTITION, "")
            if name not in newest or newest[name].create_timestamp < record.create_timestamp:
                newest[name] = record
    return {
        name: record.dagster_run
        for name, record in newest.items()
        if record.dagster_run.status is dg.DagsterRunStatus.FAILURE
        and now - record.create_timestamp > _AGAIN
        and not _has_crawled(instance, naming, record.dagster_run)
    }


def _has_crawled(instance: dg.DagsterInstance, naming: Naming, run: dg.DagsterRun) -> bool:
    """Whether a run failed with something that comes after the crawl."""
    step = naming.op(ARCHIVE)
    stats = instance.get_run_step_stats(run.run_id, [step])
    return any(each.status is not None and each.status.value == "SUCCESS" for each in stats)


def _again(run: dg.DagsterRun) -> dg.RunRequest:
    return dg.RunRequest(
        partition_key=run.tags[PARTITION], run_key=f"after:{run.run_id}", run_config=run.run_config
    )
