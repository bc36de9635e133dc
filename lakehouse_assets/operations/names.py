"""Names of schemata, properties and buckets that somebody asks for: what can only be a typo is refused."""

from collections.abc import Iterable
from difflib import get_close_matches

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.ftm import ftm_model
from lakehouse_assets.statements import schema as s

_SHOWN = 3


def check_schema(name: str) -> str:
    """The name itself if the model has such a schema; InvalidData with the nearest names."""
    return _check("schema", name, ftm_model().schemata)


def check_prop(name: str) -> str:
    """The name itself if some schema has such a property that holds values, or it is that of the entities' own rows."""
    if name == s.BASE_PROP:
        return name
    props = {prop.name for schema in ftm_model().schemata.values() for prop in schema.properties}
    return _check("property", name, props)


def check_bucket(name: str) -> str:
    """The name itself if there is such a bucket."""
    if name not in s.BUCKETS:
        msg = f"no bucket {name!r}; there are {', '.join(s.BUCKETS)}"
        raise InvalidData(msg)
    return name


def _check(what: str, name: str, known: Iterable[str]) -> str:
    by_lower = {found.lower(): found for found in sorted(known)}
    if by_lower.get(name.lower()) == name:
        return name
    near = get_close_matches(name.lower(), by_lower, n=_SHOWN, cutoff=0.5)
    hint = f"did you mean {' or '.join(by_lower[found] for found in near)}?" if near else "nothing is like it"
    msg = f"no {what} {name!r} in FollowTheMoney; {hint}"
    raise InvalidData(msg)
