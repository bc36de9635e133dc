"""The entities of a job: as they are sent, and as the dataset has them."""

# followthemoney takes 2 s to import
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, cast

import orjson

from lakehouse_assets.errors import EntityNotFound, InvalidData

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy

    from lakehouse_assets.lake import Dataset

_KEPT = ("contentHash", "fileName", "parent", "ancestors")
# how many are read from the dataset at once
_BATCH = 500


def as_dict(entity: "EntityProxy | Mapping[str, object]") -> dict[str, object]:
    """An entity as it is sent; InvalidData without an id."""
    data = dict(entity) if isinstance(entity, Mapping) else dict(entity.to_dict())
    if not data.get("id"):
        msg = f"an entity of schema {data.get('schema')!r} has no id, so nothing can be done with it; give it one"
        raise InvalidData(msg)
    return data


def dehydrated(entity: "EntityProxy | Mapping[str, object]") -> dict[str, object]:
    """The least that is sent of an entity: id, schema, caption, and what leads to its file."""
    data = as_dict(entity)
    (proxy,) = proxies([data])
    properties = {name: proxy.get(name, quiet=True) for name in _KEPT}
    return {
        "id": proxy.id,
        "schema": proxy.schema.name,
        "caption": data.get("caption") or proxy.caption,
        "properties": {name: values for name, values in properties.items() if values},
    }


def proxies(entities: Iterable[Mapping[str, object]]) -> "Iterator[EntityProxy]":
    """The entities as followthemoney has them; its InvalidData names a schema that there is none of."""
    from followthemoney import model

    for data in entities:
        yield model.get_proxy(dict(data), cleaned=True)


def checksums(entity: "EntityProxy") -> list[str]:
    """The checksums of an entity's files."""
    return entity.get("contentHash", quiet=True)


def loaded(
    dataset: "Dataset", ids: Collection[str], *, on_missing: Literal["raise", "skip"]
) -> "Iterator[EntityProxy]":
    """Entities as a dataset has them now, in this order; EntityNotFound for one that is not there, unless skipped."""
    wanted = list(ids)
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        found = dataset.get(some)
        missing = [entity_id for entity_id in some if entity_id not in found]
        if missing and on_missing == "raise":
            msg = f"{dataset.name} has no entity {missing[0]!r}; it was deleted, or not flushed yet"
            raise EntityNotFound(msg)
        lines = (orjson.loads(found[entity_id]) for entity_id in some if entity_id in found)
        yield from proxies(cast("Iterator[Mapping[str, object]]", lines))
