"""What is made again by itself, and when."""

import dagster as dg

from lakehouse_assets.defs.artifacts import LAKE_CATALOG, MADE
from lakehouse_assets.defs.naming import Naming

# datasets have no time window; without that condition a tick is cheaper
_EAGER = dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())

KEEP_LATEST = _EAGER.replace(
    "any_deps_updated",
    # a run that ends with the same data version as before disturbs nobody
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed() | dg.AutomationCondition.will_be_requested()
    ),
).with_label("keep_latest")
"""Make it when it is missing, or when something it is made from has another content than before."""


def keep_fresh(naming: Naming) -> dg.AutomationConditionSensorDefinition:
    """The sensor that asks for whatever `KEEP_LATEST` finds."""
    return dg.AutomationConditionSensorDefinition(
        naming.name("keep_fresh"),
        target=dg.AssetSelection.assets(*naming.keys([artifact.asset for artifact in (*MADE, LAKE_CATALOG)])),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Makes exports, indexes and the catalogue again when what they are made from changed.",
    )
