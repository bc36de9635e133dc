"""The config.yml of a dataset, which is also the body of its index."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator, model_validator

from lakehouse_assets.model.documents import load_yaml, plain, to_json, to_yaml, validate
from lakehouse_assets.model.fields import Country, Filled, PartialDate, Seconds, Url
from lakehouse_assets.model.ftm import ftm_model
from lakehouse_assets.model.names import check_dataset_name
from lakehouse_assets.model.statistics import Statistics

Frequency = Literal["unknown", "never", "hourly", "daily", "weekly", "monthly", "annually"]
ContentType = Literal["documents", "structured", "mixed"]
Compression = Literal["gz", "zst"]

# the last two as they stand in a checked address
_PLACEHOLDERS = (
    "${dataset}", "{{ dataset }}", "{{dataset}}",
    "$%7Bdataset%7D", "%7B%7B%20dataset%20%7D%7D", "%7B%7Bdataset%7D%7D",
)  # fmt: skip


class _Open(BaseModel):
    """A model that keeps the keys of other programs."""

    model_config = ConfigDict(extra="allow")


class Publisher(_Open):
    """Who publishes or maintains a dataset."""

    name: Filled
    url: Url | None = None
    name_en: str | None = None
    acronym: str | None = None
    description: str | None = None
    country: Country | None = None
    official: bool | None = False
    logo_url: Url | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_label(cls, data: object) -> object:
        return _without(data, "country_label")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def country_label(self) -> str | None:
        """The country's name."""
        if self.country is None:
            return None
        from followthemoney.types import registry

        return registry.country.caption(self.country)


class Coverage(_Open):
    """The time and the countries that a dataset covers, and how often it changes."""

    start: PartialDate | None = None
    end: PartialDate | None = None
    countries: list[Country] = []
    frequency: Frequency = "unknown"
    schedule: str | None = None


class Resource(_Open):
    """
    A published file of a dataset, as the index lists it.

    The timestamp is when its bytes last changed; there is a `url` under a public prefix only.
    """

    name: Filled
    url: Url | None = None
    checksum: str | None = None
    timestamp: Seconds | None = None
    mime_type: str | None = None
    title: str | None = None
    size: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_label(cls, data: object) -> object:
        return _without(data, "mime_type_label")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mime_type_label(self) -> str | None:
        """The file type's name."""
        if self.mime_type is None:
            return None
        if (label := ftm_model().mime_types.get(self.mime_type)) is not None:
            return label
        from followthemoney.types import registry

        return registry.mimetype.caption(self.mime_type)


class Storage(_Open):
    """Where a dataset lies if not in its lake."""

    uri: Filled


class DatasetConfig(_Open):
    """
    What is known about a dataset: config.yml on disk.

    Keys that other programs wrote are kept. The order of the fields is that of index.json.

    Example:
        >>> config = DatasetConfig.load(b"name: acme", "acme/config.yml")
        >>> config.title
        'acme'
        >>> config.merge(title="Acme Inc.", tags=["leak"]).tags
        ['leak']
    """

    name: str
    title: str
    license: Url | None = None
    summary: str | None = None
    description: str | None = None
    url: Url | None = None
    updated_at: Seconds | None = None
    last_export: Seconds | None = None
    entity_count: int | None = None
    thing_count: int | None = None
    version: str | None = None
    category: str | None = None
    tags: list[str] = []
    publisher: Publisher | None = None
    coverage: Coverage | None = None
    resources: list[Resource] = []
    children: list[str] = []
    deprecation: str | None = None
    deprecated: bool = False
    prefix: str | None = None
    maintainer: Publisher | None = None
    stats: Statistics = Statistics()
    git_repo: Url | None = None
    content_type: ContentType | None = None
    uri: str | None = None
    storage: Storage | None = None
    public_url_prefix: Url | None = None
    shards: int = Field(default=0, ge=0)
    compression: Compression | None = None

    @classmethod
    def load(cls, data: bytes, place: str, *, uri: str | None = None) -> Self:
        """The config in a file; the uri is where it lies now, whatever the file says."""
        return load_yaml(cls, data, place, update={"uri": uri} if uri else None)

    @classmethod
    def make(cls, name: str, **fields: object) -> Self:
        """The config of a new dataset."""
        check_dataset_name(name)
        return validate(cls, {**fields, "name": name}, f"config of {name}")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        known = {key: value for key, value in data.items() if key not in ("datasets", "scopes")}
        if known.get("title") in (None, ""):
            known["title"] = known.get("name") or ""
        children = [data.get(key) or [] for key in ("children", "datasets", "scopes")]
        if all(isinstance(names, list | set | tuple) for names in children):
            known["children"] = sorted({str(name) for names in children for name in names})
        # written as a number more often than not
        if isinstance(known.get("version"), int | float):
            known["version"] = str(known["version"])
        return {key: value for key, value in known.items() if value is not None}

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        return check_dataset_name(value)

    @model_validator(mode="after")
    def _check_deprecation(self) -> Self:
        self.deprecation = (self.deprecation or "").strip() or None
        self.deprecated = self.deprecated or self.deprecation is not None
        if self.deprecated and (self.coverage is None or self.coverage.end is None):
            msg = "a deprecated dataset must say when it ended: set coverage.end"
            raise ValueError(msg)
        return self

    def merge(self, **changes: object) -> Self:
        """
        A copy with changes: filled values replace, lists are united, mappings are merged.

        A value cannot be unset this way.
        """
        merged = _merge(plain(self), changes)
        return validate(type(self), merged, f"config of {self.name}")

    def with_statistics(self, stats: Statistics) -> Self:
        """A copy with these counts."""
        update = {"stats": stats, "entity_count": stats.entity_count, "thing_count": stats.things.total}
        return self.model_copy(update=update)

    def public_prefix(self, *, override: str | None = None, default: str | None = None) -> str | None:
        """
        The address under which the dataset's files can be downloaded, without a slash at the end.

        The override wins, then the config's own, then the default; `${dataset}` is the dataset's name.
        """
        found = override or self.public_url_prefix or default
        if not found:
            return None
        for placeholder in _PLACEHOLDERS:
            found = found.replace(placeholder, self.name)
        return found.rstrip("/")

    def to_yaml(self) -> bytes:
        """The bytes of config.yml."""
        return to_yaml(self)

    def to_index(self) -> bytes:
        """The bytes of index.json."""
        return to_json(self)


def _without(data: object, key: str) -> object:
    """The data without what is computed anew."""
    if isinstance(data, Mapping):
        return {name: value for name, value in data.items() if name != key}
    return data


def _merge(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    merged = dict(old)
    for key, value in new.items():
        merged[key] = _merged(merged.get(key), _plain(value))
    return merged


def _merged(old: object, new: object) -> object:
    if new is None or new in ("", [], {}):
        return old
    if isinstance(old, dict) and isinstance(new, Mapping):
        return _merge(old, new)
    if isinstance(old, list) and isinstance(new, list | tuple | set):
        return old + [item for item in map(_plain, new) if item not in old]
    return new


def _plain(value: object) -> object:
    return plain(value) if isinstance(value, BaseModel) else value
