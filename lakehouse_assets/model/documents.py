"""Reading and writing documents: YAML and JSON on disk, pydantic models in memory."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from lakehouse_assets.errors import InvalidData

M = TypeVar("M", bound=BaseModel)

# libyaml's parser where PyYAML was built with it: ten times as fast
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TextLoader(_Loader):  # type: ignore[misc, valid-type]
    """Takes every scalar as it is written but null: `no` is no false, 2020-01-01 no date."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}

Document = Mapping[str, object]

Place = tuple[int | str, ...]
"""Where a value stands in a document: the names and numbers on the way to it."""

# line breaks to YAML, which a reader would turn into another one
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes odd line breaks, so that every text comes back."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text as a scalar, in double quotes where it holds an odd line break."""
        style = '"' if _ODD_BREAKS.search(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def load_yaml(
    model: type[M], data: bytes, place: str, *, update: Document | None = None, texts: bool = False
) -> M:
    """
    A model from YAML, with some values replaced; InvalidData names the place, the line and the field.

    An empty document is a mapping without keys. With `texts`, scalars are taken as they are written.
    """
    document = read_yaml(data, place, texts=texts)
    try:
        return model.model_validate({**document, **(update or {})})
    except ValidationError as exc:
        raise InvalidData(_explain(exc, data, place)) from exc


def validate(model: type[M], document: Document, place: str) -> M:
    """A model from values; InvalidData names the place and the field."""
    try:
        return model.model_validate(dict(document))
    except ValidationError as exc:
        raise InvalidData(_explain(exc, b"", place)) from exc


def to_yaml(model: BaseModel) -> bytes:
    """A model in YAML: sorted keys, without nulls, an empty line at the end."""
    text = yaml.dump(plain(model), Dumper=_Dumper, sort_keys=True, allow_unicode=True)
    return f"{text}\n".encode()


def to_json(model: BaseModel) -> bytes:
    """A model in one line of JSON: keys in the order of the model, without nulls."""
    return json.dumps(plain(model), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def plain(model: BaseModel) -> dict[str, object]:
    """A model as plain values, without nulls but with empty lists, false and zero."""
    return cast(dict[str, object], _without_nulls(model.model_dump(mode="json", by_alias=True)))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def read_yaml(data: bytes, place: str, *, texts: bool = False) -> dict[str, object]:
    """The names and values of a YAML document; InvalidData names the place and the line when it is none."""
    try:
        document = yaml.load(data, Loader=_TextLoader if texts else _Loader)  # safe loaders
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        msg = f"{place}{line}: not YAML: {exc.problem or exc.context}"
        raise InvalidData(msg) from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        msg = f"{place}: not YAML: {' '.join(str(exc).split())}"
        raise InvalidData(msg) from exc
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        msg = f"{place}, line 1: expected a mapping of names to values"
        raise InvalidData(msg)
    return document


def _explain(exc: ValidationError, data: bytes, place: str) -> str:
    """Every field that cannot be used, with its line and the reason."""
    return point_out(problems_of(exc), data, place)


def problems_of(exc: ValidationError) -> list[tuple[Place, str]]:
    """The fields that a model refuses, each with the reason."""
    # what a validator of ours says comes with pydantic's prefix
    return [
        (error["loc"], error["msg"].removeprefix("Value error, ")) for error in exc.errors(include_url=False)
    ]


def point_out(problems: Iterable[tuple[Place, str]], data: bytes, place: str) -> str:
    """Problems of a YAML document as text, one a line: where it lies, the line in it, the name, the reason."""
    told = []
    for at, reason in problems:
        line = _line(data, at) if data else None
        where = f"{place}, line {line}" if line else place
        # a name that cannot be used: pydantic adds `[key]` to it
        name = ".".join(str(part) for part in at if part != "[key]")
        told.append((line or 0, f"{where}: {name}: {reason}" if name else f"{where}: {reason}"))
    return "\n".join(text for _, text in sorted(told, key=lambda each: each[0]))


def _line(data: bytes, loc: Place) -> int | None:
    """The line of a field, or of what it should stand in."""
    node = yaml.compose(data, Loader=_Loader)
    if node is None:
        return None
    name = node
    for part in loc:
        child = _child(node, part)
        if child is None:
            break
        name, node = child
    return int(name.start_mark.line) + 1


def doubled_names(data: bytes) -> list[tuple[Place, str]]:
    """Names that stand twice in one mapping of a YAML document: readers keep the last and drop the others."""
    found: list[tuple[Place, str]] = []
    root = yaml.compose(data, Loader=_Loader)
    if root is not None:
        _find_doubled(root, (), found, set())
    return found


def _find_doubled(node: yaml.Node, at: Place, found: list[tuple[Place, str]], seen: set[int]) -> None:
    # an alias may lead back to where it stands
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for name, value in node.value:
            if name.value in names:
                line = name.start_mark.line + 1
                found.append(((*at, name.value), f"stands here and again in line {line}; leave one out"))
            names.add(name.value)
            _find_doubled(value, (*at, name.value), found, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _find_doubled(value, (*at, number), found, seen)


def _child(node: yaml.Node, part: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """A part of a mapping with its name, or of a list, where it is its own."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
