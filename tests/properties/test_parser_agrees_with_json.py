"""The fast reader of lines against a plain JSON parser: what it takes, it takes exactly; all else is in quarantine."""

import json
import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.model.names import check_origin
from tests.factories import make_dataset, quarantined

# no unknown or stub property among them, so that every value has to land
PROPS = ["name", "alias", "country", "summary", "notes"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ODD_TEXT = st.sampled_from(
    ["\ud800", "a\udfffb", "\0", "\\", '"', "\u2028", "\x7f", "\ufeff", "é", "e\u0301", "𝕏", "[null]", ",null,", "NaN",
     ',"id":"y"', "statements", '"statements"', "\\u0000", ",]", ": inf", "\t", "\r\n"]
)  # fmt: skip
ODD_VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXT,
    st.just({}), st.just([]), st.just([["a"]]), st.just({"a": []}),
)  # fmt: skip
SURROGATE = re.compile("[\ud800-\udfff]")
IDS = st.from_regex(r"[0-9a-zA-Z\-]{1,6}", fullmatch=True)


class Twice(dict):
    """An object that is written with some keys twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs


def dump(value, escape):
    """JSON as `json.dumps` writes it, but with keys twice, and NaN as the word."""
    if isinstance(value, Twice):
        items = ",".join(f"{dump(key, escape)}: {dump(item, escape)}" for key, item in value.pairs)
        return "{" + items + "}"
    if isinstance(value, dict):
        return dump(Twice(list(value.items())), escape)
    if isinstance(value, list):
        return "[" + " , ".join(dump(item, escape) for item in value) + "]"
    return json.dumps(value, ensure_ascii=escape)


@st.composite
def entity_lines(draw):
    """A line of an entity, mostly a good one, with one or two things odd about it."""
    values = st.lists(TEXT | ODD_TEXT if draw(st.booleans()) else TEXT, max_size=3)
    properties = draw(st.dictionaries(st.sampled_from(PROPS), values, max_size=3))
    pairs = [("id", draw(IDS)), ("schema", "Company"), ("properties", properties)]
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=2)):
        pairs = change(draw, pairs)
    line = dump(Twice(draw(st.permutations(pairs))), escape=draw(st.booleans()))
    return line.encode(errors="surrogatepass").replace(b"\n", b" ")


def _odd_field(draw, pairs):
    name = draw(
        st.sampled_from(["id", "schema", "properties", "origin", "role", "fragment", "last_seen", "other"])
    )
    odd = draw(ODD_VALUE)
    return [pair for pair in pairs if pair[0] != name] + [(name, odd)]


def _odd_values(draw, pairs):
    name, odd = draw(st.sampled_from(PROPS)), draw(ODD_VALUE)
    return [(key, {**value, name: odd} if isinstance(value, dict) else value) for key, value in pairs]


def _odd_item(draw, pairs):
    name, odd = draw(st.sampled_from(PROPS)), draw(ODD_VALUE)
    return [(key, {**value, name: ["a", odd]} if isinstance(value, dict) else value) for key, value in pairs]


def _missing(draw, pairs):
    name = draw(st.sampled_from(["id", "schema", "properties"]))
    return [pair for pair in pairs if pair[0] != name]


def _key_twice(draw, pairs):
    return [*pairs, draw(st.sampled_from(pairs))] if pairs else pairs


def _property_twice(draw, pairs):
    name = draw(st.sampled_from(PROPS))
    return [
        (key, Twice([(name, ["a"]), *value.items(), (name, ["b"])]) if type(value) is dict else value)
        for key, value in pairs
    ]  # fmt: skip


def _empty_keys(draw, pairs):
    return [*pairs, ("", draw(TEXT)), (draw(TEXT), "")]


CHANGES = [_odd_field, _odd_values, _odd_item, _missing, _key_twice, _property_twice, _empty_keys]

RANDOM_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("id"), inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())
GARBAGE = st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" "))


@st.composite
def broken_lines(draw):
    """A good line with a piece taken out, put in or doubled."""
    line = draw(entity_lines())
    at, length = draw(st.integers(0, len(line))), draw(st.integers(0, 3))
    piece = draw(
        st.sampled_from(
            [b"", b",", b"]", b"}", b'"', b"null", b"\\", b"\\u00", b"\xff", b"\x00", b"\x0b", b"0"]
        )
    )
    return line[:at] + piece + line[at + length :]


LINES = st.one_of(entity_lines(), entity_lines(), broken_lines(), RANDOM_JSON, GARBAGE)


class Refused(Exception):
    """Not an entity."""


def reference(line):
    """The id and the values of a line by a plain JSON parser, None for a blank line; Refused for a bad one."""
    if not line.strip():
        return None
    try:
        text = line.decode()
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as exc:
        raise Refused from exc
    _need(isinstance(data, dict) and not isinstance(data, Twice))
    _need(not SURROGATE.search(json.dumps(data, ensure_ascii=False)))
    _need(_is_text(data.get("id")) and data["id"])
    _need(data.get("schema") == "Company")
    for name in ("origin", "role", "fragment"):
        value = data.get(name)
        if isinstance(value, list):
            _need(all(isinstance(item, str) for item in value))
            value = value[0] if len(value) == 1 else None
        _need(value is None or _is_text(value))
        if name == "origin" and value:
            try:
                check_origin(value)
            except ValueError as exc:
                raise Refused from exc
    # the strategy makes no time that is one, save the empty ones
    _need(data.get("last_seen") in (None, ""))
    _need("properties" in data or "statements" not in data)
    properties = data.get("properties") or {}
    _need(isinstance(properties, dict) and not isinstance(properties, Twice))
    found = set()
    for name, values in properties.items():
        _need(isinstance(values, list) and all(map(_is_text, values)))
        if name in PROPS:
            found |= {(data["id"], name, value) for value in values if value}
    return found


def _once(pairs):
    return Twice(pairs) if len(dict(pairs)) < len(pairs) else dict(pairs)


def _no_constant(name):
    raise Refused


def _need(true):
    if not true:
        raise Refused


def _is_text(value):
    return (
        isinstance(value, str)
        and "\0" not in value
        and not any("\ud800" <= char <= "\udfff" for char in value)
    )


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(lines=[b'{"id":"a","schema":"Company","properties":{"name":["a"],"name":["a"]}}'])
@example(lines=[b'{"id":"a","schema":"Company","properties":{"name":["a",]}}'])
@example(lines=[b'{"id":"a","schema":"Company","x":{"a":1,"a":2},"properties":{"name":["a"]}}'])
@example(lines=[b'{"id":"a","schema":"Company","properties":{"":["a"],"name":["b"]}}'])
@example(lines=[b'{"id":"a","schema":"Company","properties":{"name":["[null]",",null,"]}}'])
@example(
    lines=[
        b'{"id":"a","schema":"Company","properties":null}',
        b'{"id":"a","schema":"Company","properties":[]}',
    ]
)
@example(lines=[b" ", b"\x1c", b"\x0b\x0c", b"\xc2\xa0", b" " * 40])
@example(lines=[b'{"id":"a\xc2\xa0","schema":"Company"}\xc2\xa0'])
@example(lines=[b'{"id":"a","schema":"Company","a\\u001fb":1,"a":2,"b":3}'])
@given(lines=st.lists(LINES, min_size=1, max_size=40))
def test_what_is_taken_is_what_a_plain_parser_reads_and_the_rest_is_in_quarantine(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(folder / "lake")
    # the first bytes of a file may say that it is compressed
    (folder / "in.json").write_bytes(b"\n".join([b"", *lines]))
    values, bad = set(), []
    for number, line in enumerate(lines, start=2):
        try:
            values |= reference(line) or set()
        except Refused:
            bad.append(number)
    job = dataset.import_files([folder / "in.json"], trusted=True)
    found = {entry["line"]: entry for entry in quarantined(dataset, job)}
    assert sorted(found) == bad
    assert job.errors == len(bad)
    for number in bad:
        assert found[number]["text"].rstrip() == lines[number - 2].decode(errors="replace").rstrip()
    landed = {
        row
        for frame in dataset.statements.reader.scan(["entity_id", "prop", "value"])
        for row in frame.rows()
        if row[1] != "id"
    }
    assert landed == values
