"""What is made again by itself, and when."""

import dagster as dg

from lakehouse_assets.defs.artifacts import LAKE_CATALOG, MADE
from lakehouse_assets.defs.naming import Naming

_AC = dg.AutomationCondition

# what is missing when somebody first looks counts, too: a lake is older than the instance that shows it
_missing = _AC.newly_missing() | (_AC.missing() & _AC.initial_evaluation())

# a run that ends with the same data version as before disturbs nobody
_changed = _AC.any_deps_match(_AC.data_version_changed() | _AC.will_be_requested())

KEEP_LATEST = (
    (_missing | _changed).since(_AC.newly_requested() | _AC.newly_updated())
    & ~_AC.any_deps_missing()
    & ~_AC.any_deps_in_progress()
    & ~_AC.in_progress()
).with_label("keep_latest")
"""
Make it when it is missing, or when something it is made from has another content than before.

This is Dagster's `eager`, except that it goes by data versions and sees what was missing from the start.
"""


def keep_fresh(naming: Naming) -> dg.AutomationConditionSensorDefinition:
    """The sensor that asks for whatever `KEEP_LATEST` finds."""
    return dg.AutomationConditionSensorDefinition(
        naming.name("keep_fresh"),
        target=dg.AssetSelection.assets(*naming.keys([artifact.asset for artifact in (*MADE, LAKE_CATALOG)])),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Makes exports, indexes and the catalogue again when what they are made from changed.",
    )
