"""Everything Dagster shows of one lake."""

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.assets import build_assets
from lakehouse_assets.defs.automation import keep_fresh
from lakehouse_assets.defs.checkpoint_cleaning import cleaning_sensors, sweep_job, sweep_schedule
from lakehouse_assets.defs.checkpoint_io import LakeCheckpoints
from lakehouse_assets.defs.checks import build_checks
from lakehouse_assets.defs.collections import build_collections
from lakehouse_assets.defs.garbage_job import gc_job
from lakehouse_assets.defs.jobs import catalog_job, check_job, make_job
from lakehouse_assets.defs.journal import flush_job, flush_sensor
from lakehouse_assets.defs.maintenance import compact_job, merge_job, vacuum_job
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.queues import build_queues
from lakehouse_assets.defs.resources import LakeResource
from lakehouse_assets.defs.resuming import resume_sensor
from lakehouse_assets.defs.schedules import maintenance_schedules, make_schedule
from lakehouse_assets.defs.sensors import checks_sensor
from lakehouse_assets.defs.sources import sources_sensor
from lakehouse_assets.defs.states import StateResource
from lakehouse_assets.defs.timetables import timetable_sensor
from lakehouse_assets.defs.watching import watch_sensor
from lakehouse_assets.settings import get_settings
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

_URI = "LAKEHOUSE_URI"

_SECONDS = 30
_SECONDS_REMOTE = 120
"""How often the lake is looked at, on local disk and on an object store."""


def build_definitions(
    uri: str | None = None,
    *,
    key_prefix: Sequence[str] = (),
    s3: "S3Resource | None" = None,
    in_process: bool = True,
    stages: Sequence[str] | None = None,
) -> dg.Definitions:
    """
    The assets, checks, jobs, sensors and schedules of a lake, by default that of the settings.

    A project with several lakes gives each a `key_prefix`; the names of jobs and partitions have it, too.

    Args:
        uri: A folder, relative to where Dagster is started, or a URL like `s3://bucket/lake`.
        key_prefix: What the keys of all assets begin with.
        s3: Credentials of a lake on S3; by default boto3 finds them.
        in_process: Run the steps of a run in one process; off where the project has an executor of its own.
        stages: Names of modules with the stages of jobs, by default those of the settings (LAKEHOUSE_STAGES).

    Example:
        >>> defs = build_definitions("data", key_prefix=["acme"])
        >>> defs.resolve_job_def("acme_make").name
        'acme_make'
    """
    naming = Naming(tuple(key_prefix))
    lake = _resource(uri, s3)
    # an object store has its price for each of the many things that are asked there
    interval = _SECONDS if Location(_given(uri)).path is not None else _SECONDS_REMOTE
    # Dagster warns of what it sets itself, when it looks up the jobs of sensors later
    warnings.filterwarnings("ignore", "Parameter `owners` of initializer `SensorDefinition", dg.BetaWarning)
    with warnings.catch_warnings():
        # partitioned checks are a preview, observable sources are beta: we know
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        warnings.filterwarnings("ignore", category=dg.BetaWarning)
        make, check, flush = make_job(naming), check_job(naming), flush_job(naming)
        maintenance = compact_job(naming), merge_job(naming), vacuum_job(naming)
        gc = gc_job(naming)
        sweep = sweep_job(naming)
        queues = build_queues(naming, _given(uri), get_settings().stage_modules if stages is None else stages)
        collections = build_collections(naming, get_settings().remotes, seconds=interval)
        return dg.Definitions(
            assets=[*build_assets(naming), *collections.assets, *queues.assets],
            asset_checks=[*build_checks(naming), *collections.checks, *queues.checks],
            jobs=[
                make,
                flush,
                catalog_job(naming),
                check,
                *maintenance,
                gc,
                sweep,
                *collections.jobs,
                *queues.jobs,
            ],
            schedules=[
                make_schedule(naming, make),
                *maintenance_schedules(naming, *maintenance),
                sweep_schedule(naming, sweep),
                *collections.schedules,
            ],
            sensors=[
                watch_sensor(naming, seconds=interval),
                checks_sensor(naming, check, make),
                sources_sensor(naming, make, seconds=interval // 2),
                resume_sensor(naming, make, seconds=2 * interval),
                timetable_sensor(naming, make, *maintenance, gc, seconds=interval),
                flush_sensor(naming, flush),
                keep_fresh(naming),
                *cleaning_sensors(naming),
                *collections.sensors,
                *queues.sensors,
            ],
            resources={
                naming.resource: lake,
                naming.name("states"): StateResource(lake=lake),
                naming.name("checkpoints"): LakeCheckpoints(lake=lake),
            },
            # a process of its own for each step would take seconds to start
            executor=dg.in_process_executor if in_process else None,
        )


def _given(uri: str | None) -> str:
    return uri or os.environ.get(_URI) or get_settings().uri


def _resource(uri: str | None, s3: "S3Resource | None") -> LakeResource:
    # a lake that the environment names is shown by the variable's name
    given = _given(uri)
    shown = given if uri or _URI not in os.environ else dg.EnvVar(_URI)
    if s3 is None and not given.startswith(("s3://", "s3a://")):
        return LakeResource(uri=shown)
    from dagster_aws.s3 import S3Resource

    from lakehouse_assets.defs.s3 import S3LakeResource

    # Dagster does not fill in a nested resource that was left out
    return S3LakeResource(uri=shown, s3=s3 or S3Resource())
