"""Reading mappings: those of the lake, and those that somebody wrote, in the lake's form or in followthemoney's."""

from collections.abc import Mapping
from typing import cast

from pydantic import ValidationError

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import DatasetMapping
from lakehouse_assets.mapping.problems import find_problems
from lakehouse_assets.model.documents import Place, doubled_names, point_out, problems_of, read_yaml

Document = Mapping[str, object]

_QUERIES, _QUERY = "queries", "query"


def load_mapping(data: bytes, place: str, **update: str | None) -> DatasetMapping:
    """
    The mapping in a YAML file; InvalidData names place, line and reason of each problem.

    `update` has values that win over those of the file, unless they are None. Scalars are taken as they are written:
    `literal: no` is the text `no`. A file for `ftm map` will do, too: what it says of its input is left out.
    """
    document = read_yaml(data, place, texts=True)
    prefix, part = _part(document, place, update.get("dataset"))
    queries = part.get(_QUERIES, part.get(_QUERY))
    given = {name: value for name, value in update.items() if value is not None}
    values = {**part, **given, _QUERIES: queries if isinstance(queries, list) else [queries]}
    values.pop(_QUERY, None)
    problems = [*doubled_names(data)]
    try:
        mapping = DatasetMapping.model_validate(values)
        found = find_problems(mapping)
    except ValidationError as exc:
        found = problems_of(exc)
    problems += [((*prefix, *_as_written(at, part)), reason) for at, reason in found]
    if problems:
        raise InvalidData(point_out(problems, data, place))
    return mapping


def _part(document: Document, place: str, dataset: str | None) -> tuple[Place, Document]:
    """The part of a file that is a mapping, and its name: followthemoney's files hold one for each dataset."""
    if _QUERIES in document or _QUERY in document:
        return (), document
    parts = {name: part for name, part in document.items() if isinstance(part, dict)}
    if not parts:
        msg = f"{place}: no `queries` in it; write what becomes of the rows there, as for `ftm map`"
        raise InvalidData(msg)
    name = dataset if dataset in parts else next(iter(parts))
    if name != dataset and len(parts) > 1:
        msg = f"{place} maps {', '.join(parts)}, and not {dataset}; leave the one that is meant"
        raise InvalidData(msg)
    part = cast(Document, parts[name])
    kept = {key: value for key, value in part.items() if key in (_QUERIES, _QUERY, "file", "pinned")}
    return (name,), {"dataset": name, **kept}


def _as_written(at: Place, part: Document) -> Place:
    """A place in a mapping as it is in the file, where a single query may stand for a list of one."""
    if at[:1] != (_QUERIES,):
        return at
    name = _QUERIES if _QUERIES in part else _QUERY
    is_list = isinstance(part.get(name), list)
    return (name, *at[1:]) if is_list else (name, *at[2:])
