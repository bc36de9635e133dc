"""Runs in this process, one after the other: to start a process for each would take longer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from lakehouse_assets.defs import jobs
from lakehouse_assets.defs.artifacts import ARCHIVE, FILES, STATEMENTS
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.queue_runs import tags_of
from lakehouse_assets.defs.queue_work import WORK, WORK_OP
from lakehouse_assets.defs.report import report_config
from lakehouse_assets.defs.sync_assets import PULL, PULL_JOB, PUSH, PUSH_JOB
from lakehouse_assets.defs.sync_work import Resolve
from lakehouse_assets.jobs.stages import PRIORITY
from lakehouse_assets.lake import Lake

_NAMING = Naming()

# Dagster writes some fifty lines a run to the terminal otherwise; the event log has them all
_QUIET: dict[str, object] = {"console": {"config": {"log_level": "ERROR"}}}


@dataclass(frozen=True)
class Made:
    """A run that ended; `dataset` is its partition, None for that of the catalogue, `error` says why it failed."""

    dataset: str | None
    run_id: str
    success: bool
    error: str | None = None


def run_make(
    lake: Lake,
    instance: dg.DagsterInstance,
    *,
    names: Sequence[str] | None = None,
    files: Mapping[str, Sequence[str | Path]] | None = None,
    crawl: Collection[str] = (),
    force: bool = False,
) -> Iterator[Made]:
    """
    Make datasets, by default all, and the catalogue at the end, as runs that the instance remembers.

    `files` are imported before: by dataset. Of those in `crawl` the sources in pipeline.yml are crawled first. A
    dataset that fails does not stop the others.

    Example:
        >>> with open_instance(lake) as instance:
        ...     for made in run_make(lake, instance, files={"acme": ["acme.ftm.json"]}):
        ...         print(made.dataset, made.success)
    """
    defs = build_definitions(lake.uri)
    make = defs.resolve_job_def(_NAMING.name(jobs.MAKE))
    for name in lake.datasets() if names is None else names:
        report_config(instance, lake.dataset(name))
        config = _config((files or {}).get(name, []), crawl=name in crawl, force=force)
        result = make.execute_in_process(
            run_config=config, partition_key=name, instance=instance, raise_on_error=False
        )
        yield _made(name, result)
    catalog = defs.resolve_job_def(_NAMING.name(jobs.CATALOG))
    yield _made(
        None, catalog.execute_in_process({"loggers": _QUIET}, instance=instance, raise_on_error=False)
    )


def run_checks(lake: Lake, instance: dg.DagsterInstance) -> Made:
    """Run all checks of all datasets and of the catalogue, as a run that the instance remembers."""
    check = build_definitions(lake.uri).resolve_job_def(_NAMING.name(jobs.CHECK))
    return _made(None, check.execute_in_process({"loggers": _QUIET}, instance=instance, raise_on_error=False))


def run_jobs(lake: Lake, instance: dg.DagsterInstance, queue: str, *, dataset: str | None = None) -> Made:
    """Work what is due of a queue, or of a dataset in it, as a run that the instance remembers."""
    work = build_definitions(lake.uri).resolve_job_def(_NAMING.name(WORK))
    config = {"queue": queue} if dataset is None else {"queue": queue, "dataset": dataset}
    result = work.execute_in_process(
        {"ops": {_NAMING.name(WORK_OP): {"config": config}}, "loggers": _QUIET},
        instance=instance,
        tags=dict(tags_of(queue, dataset, PRIORITY)),
        raise_on_error=False,
    )
    return _made(dataset, result)


def run_pull(
    lake: Lake, instance: dg.DagsterInstance, partition: str, *, resolve: Resolve = "refuse"
) -> Made:
    """Bring a collection of another lake here, as a run that the instance remembers: `office/dataset/acme`."""
    return _run_sync(lake, instance, PULL_JOB, PULL, partition, resolve)


def run_push(
    lake: Lake, instance: dg.DagsterInstance, partition: str, *, resolve: Resolve = "refuse"
) -> Made:
    """Bring a collection of this lake to another one, as a run that the instance remembers."""
    return _run_sync(lake, instance, PUSH_JOB, PUSH, partition, resolve)


def _run_sync(
    lake: Lake, instance: dg.DagsterInstance, job: str, asset: str, partition: str, resolve: Resolve
) -> Made:
    sets = {PULL: _NAMING.pulls, PUSH: _NAMING.pushes}
    instance.add_dynamic_partitions(str(sets[asset].name), [partition])
    config = {_NAMING.op(asset): {"config": {"resolve": resolve}}}
    result = (
        build_definitions(lake.uri)
        .resolve_job_def(_NAMING.name(job))
        .execute_in_process(
            {"ops": config, "loggers": _QUIET},
            partition_key=partition,
            instance=instance,
            raise_on_error=False,
        )
    )
    return _made(partition, result)


def _config(files: Sequence[str | Path], *, crawl: bool, force: bool) -> dict[str, object]:
    ops: dict[str, object] = {_NAMING.op(artifact.asset): {"config": {"force": force}} for artifact in FILES}
    ops[_NAMING.op(ARCHIVE)] = {"config": {"pipeline": crawl}}
    ops[_NAMING.op(STATEMENTS)] = {"config": {"files": [_absolute(file) for file in files]}}
    return {"ops": ops, "loggers": _QUIET}


def _absolute(file: str | Path) -> str:
    return str(file) if "://" in str(file) else str(Path(file).resolve())


def _made(name: str | None, result: dg.ExecuteInProcessResult) -> Made:
    return Made(name, result.run_id, result.success, None if result.success else _error(result))


def _error(result: dg.ExecuteInProcessResult) -> str:
    """What the first step that failed said."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return data.user_failure_data.description
            return data.error.message if data.error else "failed"
    return "the run failed before its first step"
