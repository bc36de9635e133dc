"""What Dagster knows of a dataset's assets, and telling it what is otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.events import (
    CODE_VERSION,
    DATA_VERSION,
    INPUT_EVENT,
    INPUT_VERSION,
    config_observation,
    materialization,
)
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.truth import Truth

# an event from before all others: whatever there is now came later
_BEFORE_ALL = -2
_NO_VERSION = "none"


@dataclass(frozen=True)
class Known:
    """The newest event of an asset: its place in the log, when it was, and what its tags say."""

    id: int
    at: float
    tags: Mapping[str, str]

    @property
    def version(self) -> str | None:
        """The data version."""
        return self.tags.get(DATA_VERSION)


class Picture:
    """
    A dataset as an instance shows it; `dataset` is None for the assets of the lake as a whole.

    Events carry from which versions of other assets something was made, as those of runs do, so that Dagster can tell
    by itself what became stale since.
    """

    def __init__(self, instance: dg.DagsterInstance, naming: Naming, dataset: str | None) -> None:
        self._instance = instance
        self._naming = naming
        self._dataset = dataset
        self._known: dict[str, Known | None] = {}
        self._earlier: dict[tuple[str, int], Known | None] = {}

    def known(self, asset: str) -> Known | None:
        """The newest event of an asset, None when there was none."""
        if asset not in self._known:
            self._known[asset] = self._newest(asset)
        return self._known[asset]

    def is_true(self, truth: Truth) -> bool:
        """Whether an asset is shown in the version that it has, and stale only when it is."""
        known = self.known(truth.artifact.asset)
        if known is None or not self.has_version(truth):
            return self.has_version(truth)
        return self._looks_stale(truth.artifact, known) == bool(truth.behind)

    def has_version(self, truth: Truth) -> bool:
        """Whether an asset is shown in the version that it has, be it stale or not."""
        known = self.known(truth.artifact.asset)
        if known is None:
            return truth.version is None
        return known.version == (truth.version or _NO_VERSION)

    def tell(self, truth: Truth) -> None:
        """Have an asset shown as it is."""
        artifact = truth.artifact
        event = materialization(
            self._naming,
            artifact.asset,
            truth.version or _NO_VERSION,
            truth.metadata(),
            partition=self._dataset,
            description=truth.why,
            origins=self._origins(artifact, truth.behind),
        )
        self._report(artifact.asset, event)

    def tell_config(self, digest: str) -> bool:
        """Have a config.yml shown as it is; False when it is shown so already."""
        known = self.known(artifacts.CONFIG)
        if self._dataset is None or (known is not None and known.version == digest):
            return False
        self._report(artifacts.CONFIG, config_observation(self._naming, self._dataset, digest))
        return True

    def _report(self, asset: str, event: dg.AssetMaterialization | dg.AssetObservation) -> None:
        self._instance.report_runless_asset_event(event)
        self._known.pop(asset, None)

    def _origins(self, artifact: Artifact, behind: frozenset[str]) -> dict[str, str]:
        """What the tags of a run's event say of the assets that something was made from."""
        found = {CODE_VERSION: artifact.code_version}
        for asset in artifact.deps:
            known = self.known(asset)
            is_current = known is not None and asset not in behind
            name = self._naming.key(asset).to_user_string()
            found[f"{INPUT_VERSION}/{name}"] = (known.version or "") if known and is_current else _NO_VERSION
            found[f"{INPUT_EVENT}/{name}"] = str(known.id if known and is_current else _BEFORE_ALL)
        return found

    def _looks_stale(self, artifact: Artifact, known: Known) -> bool:
        """Whether Dagster shows an asset as made from something else than there is now."""
        return any(self._looks_changed(asset, artifact, known) for asset in artifact.deps)

    def _looks_changed(self, asset: str, artifact: Artifact, known: Known) -> bool:
        now = self.known(asset)
        name = self._naming.key(asset).to_user_string()
        event = known.tags.get(f"{INPUT_EVENT}/{name}")
        if CODE_VERSION not in known.tags:
            # of an event that does not say it, Dagster looks at the times
            return asset != artifacts.CONFIG and (now is None or now.at > known.at)
        if event is None or now is None:
            return event is None
        if not event.lstrip("-").isdecimal() or now.id <= int(event):
            return False
        before = self._known_at(asset, int(event))
        return before is None or before.version != now.version

    def _known_at(self, asset: str, event: int) -> Known | None:
        """The newest event of an asset up to some event; several assets were made from the same one."""
        if (asset, event) not in self._earlier:
            self._earlier[asset, event] = self._newest(asset, before=event + 1)
        return self._earlier[asset, event]

    def _newest(self, asset: str, before: int | None = None) -> Known | None:
        # the log says which of all partitions came last where an asset depends on all of them
        partition = self._dataset if asset != artifacts.CATALOG else None
        filters = dg.AssetRecordsFilter(
            self._naming.key(asset),
            asset_partitions=[partition] if partition is not None else None,
            before_storage_id=before,
        )
        fetch = (
            self._instance.fetch_observations
            if asset == artifacts.CONFIG
            else self._instance.fetch_materializations
        )
        for record in fetch(filters, limit=1).records:
            event = record.asset_materialization or record.asset_observation
            if event is not None:
                return Known(record.storage_id, record.timestamp, dict(event.tags or {}))
        return None
