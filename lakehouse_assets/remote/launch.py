"""What a Dagster is asked to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Config = Mapping[str, object]


@dataclass(frozen=True)
class Launch:
    """
    A run for one dataset, or for the lake: of some assets, or of a job; `config` is by asset or op.

    The names are those of a lake without a prefix.

    Example:
        >>> Launch(assets=("statements_csv",), config={"statements_csv": {"force": True}})
        >>> Launch(job="merge", config={"merge_statements": {"force": True}})
    """

    assets: Sequence[str] = ()
    job: str = ""
    config: Mapping[str, Config] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """How the assets, jobs and ops of a lake are called whose keys have a prefix, like `acme/leaks`."""

    prefix: str = ""

    @property
    def parts(self) -> list[str]:
        """The parts of the prefix."""
        return [part for part in self.prefix.split("/") if part]

    def name(self, name: str) -> str:
        """The name of a job, an op or a set of partitions."""
        return "_".join([*self.parts, name])

    def key(self, asset: str) -> list[str]:
        """The key of an asset."""
        return [*self.parts, asset]

    def run_config(self, launch: Launch) -> dict[str, object]:
        """The config of a run, as its launchpad shows it."""
        name = self._op_of_asset if launch.assets or launch.job in _OF_ASSETS else self.name
        return {"ops": {name(op): {"config": dict(config)} for op, config in launch.config.items()}}

    def _op_of_asset(self, asset: str) -> str:
        return "__".join([*self.parts, asset])


MAKE = "make"
"""The job of all assets of a dataset."""

MAKE_CATALOG = "make_catalog"
"""The job of the lake's catalogue."""

_OF_ASSETS = (MAKE, MAKE_CATALOG)
