"""Settings from the environment (`LAKEHOUSE_*`), a `.env` file and mounted secrets."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lakehouse_assets.errors import InvalidData

_SECRETS = Path("/run/secrets")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", re.IGNORECASE)
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int:
    """
    The bytes that a size like `1GB` (10^9) or `1GiB` (2^30) names.

    Example:
        >>> parse_size("1.5GB")
        1500000000
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        msg = f"not a size: {text!r}; write a number and a unit, like 512MB, 1GB or 2GiB"
        raise InvalidData(msg)
    number, unit, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** _POWERS[unit.upper()])


def parse_remotes(text: str) -> dict[str, str]:
    """
    Other lakes by name, from `name=uri,name=uri` or a JSON object; ValueError when it is neither.

    Example:
        >>> parse_remotes("office=s3://bucket/lake, copy=/mnt/lake")
        {'office': 's3://bucket/lake', 'copy': '/mnt/lake'}
    """
    if text.lstrip().startswith("{"):
        found = json.loads(text)
        return {str(name): str(uri) for name, uri in found.items()}
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not sign for _, sign, _ in pairs):
        msg = "write other lakes as name=uri, with commas between, or as a JSON object"
        raise ValueError(msg)
    return {name.strip(): uri.strip() for name, _, uri in pairs}


def _check_remote(name: str, uri: str) -> None:
    """Raise ValueError for a remote that cannot be named so, or whose address tells secrets."""
    if not _REMOTE.fullmatch(name):
        msg = f"a lake's name has letters, digits, - and _ only, not {name!r}"
        raise ValueError(msg)
    if not uri:
        msg = f"the lake {name!r} has no address; write {name}=s3://bucket/lake or {name}=/folder"
        raise ValueError(msg)
    parts = urlsplit(uri) if "://" in uri else None
    if parts is not None and ("@" in parts.netloc or parts.query):
        msg = (
            f"the address of {name!r} has more than bucket and folder; AWS_* variables or a profile give keys"
        )
        raise ValueError(msg)


class Settings(BaseSettings):
    """
    What can be set from outside; every field is `LAKEHOUSE_` and its name in capitals.

    Shards and compression are no settings: they belong to a dataset and stand in its config.yml.
    """

    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE_", env_file=".env", extra="ignore", populate_by_name=True, frozen=True
    )

    uri: str = "data"
    """Where the lake lies: a folder or an object store's URL."""
    public_url_prefix: str | None = None
    """Where exports can be downloaded; `${dataset}` and `{{ dataset }}` stand for the dataset's name."""
    dagster_url: str | None = None
    """A running Dagster that operations are delegated to, like http://host:3000."""
    dagster_location: str | None = None
    """Its code location that has this lake; needed where several have one."""
    dagster_prefix: str = ""
    """What the keys of this lake's assets begin with in Dagster, like `acme/leaks`."""
    grace_period_days: int = Field(default=30, ge=0)
    """How long deleted statements stay on disk, in days."""
    memory_limit: str = Field(
        default="1GB",
        validation_alias=AliasChoices("LAKEHOUSE_MEMORY_LIMIT", "LAKEHOUSE_DUCKDB_MEMORY_LIMIT"),
    )
    """How much memory one operation may take."""
    temp_directory: str | None = Field(
        default=None,
        validation_alias=AliasChoices("LAKEHOUSE_TEMP_DIRECTORY", "LAKEHOUSE_DUCKDB_TEMP_DIRECTORY"),
    )
    """Where work that does not fit into memory is spilled to; the system's own place by default."""
    lock_timeout: float = Field(default=270, ge=0)
    """How long to wait for another writer, in seconds."""
    lease_seconds: float = Field(default=120, gt=0)
    """How long a lease lives without being renewed, in seconds."""
    journal_rows: int = Field(default=100_000, ge=1)
    """When so many statements wait in a journal, Dagster flushes it."""
    journal_seconds: float = Field(default=60, ge=0)
    """When something has waited in a journal for so long, Dagster flushes it, in seconds."""
    remotes: Annotated[dict[str, str], NoDecode] = {}
    """Other lakes by name, like `office=s3://bucket/lake,copy=/mnt/lake` or as JSON; no keys or secrets."""
    stages: str = ""
    """The modules that have the stages of jobs, as Python imports them, with commas between."""
    queue_seconds: float = Field(default=20, ge=0)
    """So many seconds, at least, lie between two runs of Dagster for few jobs of the same queue and dataset."""
    queue_patience_seconds: float = Field(default=3600, ge=0)
    """When a job waits so long though its time has come, a check of its queue warns, in seconds."""
    queue_uri: str | None = None
    """A Postgres database for the queues of jobs, like postgresql://user:password@host/jobs; by default the lake."""
    checkpoint_rows: int = Field(default=10_000_000, ge=0)
    """Of tables with so many statements, runs of Dagster keep the parts of an export for when they are tried again."""
    checkpoint_retention_days: float = Field(default=7, ge=0)
    """How long checkpoints stay that nothing was written to, in days; those of a run that succeeded go at its end."""
    gc_grace_days: float = Field(default=7, ge=0)
    """How long files stay that nobody needs, from when they were marked, in days."""
    versions_days: int = Field(default=365, ge=0)
    """How long snapshots of indexes and statistics stay, in days, the last ten longer; 0 means for ever."""
    crawl_stall_seconds: float = Field(default=60, gt=0)
    """How long a crawl waits for the next byte of a server, in seconds; a file as a whole may take any time."""
    unpack_ratio: int = Field(default=200, ge=1)
    """How many times its own size may come out of a packed file; the first gigabyte always may."""
    unpack_size: str = "1TB"
    """How much may come out of a packed file at all."""
    unpack_files: int = Field(default=500_000, ge=1)
    """How many files a packed file may hold."""

    @field_validator("memory_limit", "unpack_size")
    @classmethod
    def _is_size(cls, value: str) -> str:
        parse_size(value)
        return value

    @field_validator("remotes", mode="before")
    @classmethod
    def _named(cls, value: object) -> Mapping[str, str]:
        return parse_remotes(value) if isinstance(value, str) else value  # type: ignore[return-value]

    @field_validator("remotes")
    @classmethod
    def _are_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for name, uri in value.items():
            _check_remote(name, uri)
        return value

    def here(self) -> "Settings":
        """The same settings, with no Dagster that operations are delegated to."""
        return self.model_copy(update={"dagster_url": None})

    @property
    def stage_modules(self) -> list[str]:
        """The modules of `stages`."""
        return [name.strip() for name in self.stages.split(",") if name.strip()]

    @property
    def memory_bytes(self) -> int:
        """`memory_limit` in bytes."""
        return parse_size(self.memory_limit)

    @property
    def unpack_bytes(self) -> int:
        """`unpack_size` in bytes."""
        return parse_size(self.unpack_size)


def get_settings() -> Settings:
    """The settings as the environment has them now."""
    try:
        return Settings(_secrets_dir=_SECRETS if _SECRETS.is_dir() else None)
    except ValidationError as exc:
        raise InvalidData(_explain(exc)) from exc


def _explain(exc: ValidationError) -> str:
    """One line per setting that cannot be used."""
    lines = []
    for error in exc.errors():
        name = str(error["loc"][0]).upper()
        name = name if name.startswith("LAKEHOUSE_") else f"LAKEHOUSE_{name}"
        # somebody may have put a secret into an address
        given = "" if name == "LAKEHOUSE_REMOTES" else f"={error['input']!r}"
        lines.append(f"{name}{given}: {error['msg']}")
    return "; ".join(lines)
