"""
The FollowTheMoney model as plain data.

Importing followthemoney takes 0.7 s, which most commands would spend on nothing but names and labels. What they need is
kept in a file of the user's cache folder, one for each version of followthemoney; it is made again when it is missing.
"""

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT = 1
# the labels of file types that an index lists
_MIME_TYPES = ("text/csv", "application/json", "application/json+ftm")


@dataclass(frozen=True)
class FtmProperty:
    """A property that holds values: its type, and the format of an identifier."""

    name: str
    type: str
    format: str | None


@dataclass(frozen=True)
class FtmSchema:
    """A schema; `ancestors` has itself and all that it is, too, `caption` the properties that name an entity."""

    name: str
    label: str
    plural: str
    abstract: bool
    caption: tuple[str, ...]
    ancestors: frozenset[str]
    properties: tuple[FtmProperty, ...]

    def is_a(self, name: str) -> bool:
        """Whether it is another schema, too."""
        return name in self.ancestors


@dataclass(frozen=True)
class FtmModel:
    """All schemata by name, and the names of countries and file types by code."""

    schemata: dict[str, FtmSchema]
    countries: dict[str, str]
    mime_types: dict[str, str]


@cache
def ftm_model() -> FtmModel:
    """The model of the installed followthemoney."""
    # a model of the user's own is read anew: its files may change at any time
    path = None if os.environ.get("FTM_MODEL_PATH") else _cache_file()
    if path is not None:
        try:
            return _load(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as exc:
            log.debug("no model in %s: %s", path, exc)
    model = _read()
    if path is not None:
        _keep(path, model)
    return model


def _cache_file() -> Path | None:
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    names = "-".join(version(package) for package in ("followthemoney", "rigour"))
    return folder / "lakehouse-assets" / f"model-{_FORMAT}-{names}.json"


def _read() -> FtmModel:
    from followthemoney import model
    from followthemoney.types import registry

    schemata = {}
    for schema in sorted(model.schemata.values(), key=lambda schema: schema.name):
        properties = tuple(
            FtmProperty(name, prop.type.name, prop.format)
            for name, prop in sorted(schema.properties.items())
            if not prop.stub
        )
        schemata[schema.name] = FtmSchema(
            name=schema.name,
            label=schema.label,
            plural=schema.plural,
            abstract=schema.abstract,
            caption=tuple(schema.caption),
            ancestors=frozenset(parent.name for parent in schema.schemata),
            properties=properties,
        )
    mime_types = {name: registry.mimetype.caption(name) for name in _MIME_TYPES}
    return FtmModel(schemata, dict(registry.country.names), mime_types)


def _load(data: bytes) -> FtmModel:
    found = json.loads(data)
    schemata = {
        schema["name"]: FtmSchema(
            **{
                **schema,
                "caption": tuple(schema["caption"]),
                "ancestors": frozenset(schema["ancestors"]),
                "properties": tuple(FtmProperty(*prop) for prop in schema["properties"]),
            }
        )
        for schema in found["schemata"]
    }
    return FtmModel(schemata, found["countries"], found["mime_types"])


def _keep(path: Path, model: FtmModel) -> None:
    """Write the file whole, for whoever comes next; without it everything works, only slower."""
    schemata = [
        {
            **asdict(schema),
            "ancestors": sorted(schema.ancestors),
            "properties": [[prop.name, prop.type, prop.format] for prop in schema.properties],
        }
        for schema in model.schemata.values()
    ]
    text = json.dumps({"schemata": schemata, "countries": model.countries, "mime_types": model.mime_types})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError as exc:
        log.debug("cannot keep the model in %s: %s", path, exc)
