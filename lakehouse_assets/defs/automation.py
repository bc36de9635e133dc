"""What is made again by itself, and when."""

import dagster as dg

from lakehouse_assets.defs.artifacts import CONFIG, LAKE_CATALOG, MADE
from lakehouse_assets.defs.naming import Naming

AC = dg.AutomationCondition
Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]


def keep_latest(naming: Naming) -> Condition:
    """
    Make it when it is missing, or when something it is made from has another content than before.

    Dagster's own `eager` goes by runs, not by content, and forgets: when an asset and then something it is made from
    are updated between two looks, the update of the asset counts as the answer to the later one.
    """
    # in this form Dagster compares the times of the updates, not only the looks at which they were seen
    made_before_its_sources = AC.any_deps_match(AC.newly_updated()).since(AC.newly_updated())
    other_content = _since_requested(AC.any_deps_match(AC.data_version_changed()))
    # observations have no times to compare
    config = dg.AssetSelection.assets(naming.key(CONFIG))
    other_config = _since_requested(AC.any_deps_match(AC.data_version_changed()).allow(config))
    return (
        (
            _missing()
            | (made_before_its_sources & other_content)
            | other_config
            | AC.any_deps_match(AC.will_be_requested())
        )
        & ~AC.any_deps_missing()
        & ~AC.any_deps_in_progress()
        & ~AC.in_progress()
    ).with_label("keep_latest")


def keep_present() -> Condition:
    """Make it when it is missing, or along with what it is made from: what else changes that, others ask about."""
    return (
        (_missing() | AC.any_deps_match(AC.will_be_requested()))
        & ~AC.any_deps_missing()
        & ~AC.any_deps_in_progress()
        & ~AC.in_progress()
    ).with_label("keep_present")


def _missing() -> Condition:
    """Whether it is missing, and was not asked for since."""
    # a lake is older than the instance that shows it: what is missing at the first look counts, too
    return (AC.newly_missing() | (AC.missing() & AC.initial_evaluation())).since(
        AC.newly_requested() | AC.newly_updated()
    )


def _since_requested(change: Condition) -> Condition:
    """Whether there was a change since the asset was last asked for; one at the same look may have come later."""
    return change.since(AC.newly_requested() & ~change)


def keep_fresh(naming: Naming) -> dg.AutomationConditionSensorDefinition:
    """The sensor that asks for whatever `KEEP_LATEST` finds."""
    return dg.AutomationConditionSensorDefinition(
        naming.name("keep_fresh"),
        target=dg.AssetSelection.assets(*naming.keys([artifact.asset for artifact in (*MADE, LAKE_CATALOG)])),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Makes exports, indexes and the catalogue again when what they are made from changed.",
    )
