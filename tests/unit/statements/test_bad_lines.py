"""Lines that are no entities: each is kept with its place and its reason, and the good ones land all the same."""

import json

import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements import inputs as inputs_module
from lakehouse_assets.statements import lines as lines_module
from tests.factories import company, make_dataset, quarantined, tree, values_of

GOOD = json.dumps(company("good", name=["Good Ltd."]))

BAD = {
    "broken JSON": (b'{"id":"x","schema":"Company","properties":{"name":["a"]}', "not JSON"),
    "two objects in one line": (b'{"id":"x","schema":"Company"} {"id":"y","schema":"Company"}', "not JSON"),
    "bare text": (b"hello", "not JSON"),
    "a JSON text": (b'"hello"', "a JSON object is needed, not a text"),
    "a JSON list": (b'[{"id":"x","schema":"Company"}]', "a JSON object is needed, not a list"),
    "JSON null": (b"null", "a JSON object is needed, not null"),
    "NaN": (b'{"id":"x","schema":"Company","n":NaN}', "not JSON"),
    "an empty object": (b"{}", "no id"),
    "no id": (b'{"schema":"Company","properties":{"name":["a"]}}', "no id"),
    "an empty id": (b'{"id":"","schema":"Company","properties":{"name":["a"]}}', "no id"),
    "null for an id": (b'{"id":null,"schema":"Company","properties":{"name":["a"]}}', "no id"),
    "a number for an id": (b'{"id":12,"schema":"Company","properties":{"name":["a"]}}', "id is a number"),
    "a list for an id": (b'{"id":["x"],"schema":"Company","properties":{"name":["a"]}}', "id is a list"),
    "an object for an id": (b'{"id":{"a":1},"schema":"Company"}', "id is an object"),
    "true for an id": (b'{"id":true,"schema":"Company"}', "id is true or false"),
    "no schema": (b'{"id":"x","properties":{"name":["a"]}}', "no schema"),
    "a number for a schema": (b'{"id":"x","schema":1,"properties":{}}', "schema is a number"),
    "an unknown schema": (b'{"id":"x","schema":"Nope","properties":{"name":["a"]}}', "unknown schema 'Nope'"),
    "a schema in small letters": (b'{"id":"x","schema":"company"}', "unknown schema 'company'"),
    "an abstract schema": (b'{"id":"x","schema":"Thing","properties":{"name":["a"]}}', "abstract schema 'Thing'"),
    "a text for values": (b'{"id":"x","schema":"Company","properties":{"name":"a"}}', "'name' are a text, not a list"),
    "null for values": (b'{"id":"x","schema":"Company","properties":{"name":null}}', "'name' are null, not a list"),
    "an object for values": (b'{"id":"x","schema":"Company","properties":{"name":{"a":[]}}}', "'name' are an object"),
    "a number among values": (b'{"id":"x","schema":"Company","properties":{"name":["a",1]}}', "'name' is a number"),
    "null among values": (b'{"id":"x","schema":"Company","properties":{"name":["a",null]}}', "'name' is null"),
    "true among values": (b'{"id":"x","schema":"Company","properties":{"name":[true]}}', "'name' is true or false"),
    "an object among values": (b'{"id":"x","schema":"Company","properties":{"name":[{"a":1}]}}', "'name' is an object"),
    "a list among values": (b'{"id":"x","schema":"Company","properties":{"name":[["a"]]}}', "'name' is a list"),
    "a number in an unknown property": (b'{"id":"x","schema":"Company","properties":{"no":[1]}}', "'no' is a number"),
    "a list for properties": (b'{"id":"x","schema":"Company","properties":["a"]}', "properties is a list"),
    "a text for properties": (b'{"id":"x","schema":"Company","properties":"a"}', "properties is a text"),
    "an id twice": (b'{"id":"x","id":"y","schema":"Company"}', "'id' stands there twice"),
    "an id twice, spelled in two ways": (b'{"id":"x","\\u0069d":"y","schema":"Company"}', "'id' stands there twice"),
    "properties twice": (
        b'{"id":"x","schema":"Company","properties":{"name":["a"]},"properties":{"name":["b"]}}',
        "'properties' stands there twice",
    ),
    "an unknown key twice": (b'{"id":"x","schema":"Company","z":1,"z":2}', "'z' stands there twice"),
    "a property twice": (
        b'{"id":"x","schema":"Company","properties":{"name":["a"],"name":["b"]}}',
        "'name' stands there twice",
    ),
    "a property twice, spelled in two ways": (
        b'{"id":"x","schema":"Company","properties":{"name":["a"],"n\\u0061me":["b"]}}',
        "'name' stands there twice",
    ),
    "a property twice with the same values": (
        b'{"id":"x","schema":"Company","properties":{"name":["a"],"name":["a"]}}',
        "'name' stands there twice",
    ),
    "a lone high surrogate": (
        b'{"id":"x","schema":"Company","properties":{"name":["a\\ud800b"]}}',
        "'name' holds half a character",
    ),
    "a lone low surrogate": (b'{"id":"x","schema":"Company","properties":{"name":["\\udc00"]}}', "half a character"),
    "a lone surrogate in an id": (b'{"id":"x\\ud800","schema":"Company"}', "'id' holds half a character"),
    "NUL in an id": (b'{"id":"x\\u0000y","schema":"Company"}', "'id' holds a NUL"),
    "bytes that are no UTF-8": (b'{"id":"x","schema":"Company","properties":{"name":["\xff\xfe"]}}', "not UTF-8"),
    "a surrogate in UTF-8": (b'{"id":"x","schema":"Company","properties":{"name":["\xed\xa0\x80"]}}', "not UTF-8"),
    "a control character": (b'{"id":"x","schema":"Company","properties":{"name":["a\x01b"]}}', "not JSON"),
    "statements instead of properties": (b'{"id":"x","schema":"Company","statements":[]}', "statements"),
    "a number for last_seen": (b'{"id":"x","schema":"Company","last_seen":5}', "last_seen is a number"),
    "no time in last_change": (b'{"id":"x","schema":"Company","last_change":"soon"}', "last_change 'soon' is no time"),
    "no day in first_seen": (b'{"id":"x","schema":"Company","first_seen":"2024-13-45"}', "first_seen '2024-13-45'"),
    "a number for an origin": (b'{"id":"x","schema":"Company","origin":3}', "origin is a number"),
    "a number among origins": (b'{"id":"x","schema":"Company","origin":[3]}', "origin holds something"),
    "an origin that is none": (b'{"id":"x","schema":"Company","origin":"a/b"}', "'a/b' cannot be an origin"),
    "an origin that climbs": (b'{"id":"x","schema":"Company","origin":[".."]}', "'..' cannot be an origin"),
    "an object for a role": (b'{"id":"x","schema":"Company","role":{"a":1}}', "role is an object"),
    "a number for a fragment": (b'{"id":"x","schema":"Company","fragment":1.5}', "fragment is a number"),
    "nesting without end": (
        b'{"id":"x","schema":"Company","properties":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nested too deeply",
    ),
    "a comma too many in a list": (b'{"id":"x","schema":"Company","properties":{"name":["a" , ]}}', "not JSON"),
    "a comma too many in an object": (b'{"id":"x","schema":"Company",}', "not JSON"),
    "infinity": (b'{"id":"x","schema":"Company","n":[-inf]}', "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("trusted", [False, True], ids=["safe", "trusted"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_kept_with_place_and_reason_and_the_good_ones_land(tmp_path, kind, trusted):
    line, reason = BAD[kind]
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_bytes(GOOD.encode() + b"\n" + line + b"\n")
    job = dataset.import_files([file], trusted=trusted)
    assert (job.errors, job.entities, job.done) == (1, 1, 1)
    assert values_of(dataset) == [("good", "name", "Good Ltd.")]
    [entry] = quarantined(dataset, job)
    assert (entry["file"], entry["line"]) == (str(file), 2)
    assert reason in entry["reason"]
    assert entry["text"] == line.decode(errors="replace")


@pytest.mark.parametrize("kind", BAD)
def test_strict_refuses_the_whole_input_for_one_bad_line_and_changes_nothing(tmp_path, kind):
    line, reason = BAD[kind]
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_bytes(GOOD.encode() + b"\n" + line + b"\n")
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData) as caught:
        dataset.import_files([file], strict=True)
    assert f"{file}, line 2: " in str(caught.value)
    assert reason in str(caught.value)
    assert tree(tmp_path / "lake") == before
    assert not (tmp_path / "lake/acme/quarantine").exists()


def test_nothing_but_bad_lines_leaves_the_lake_as_it_was(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_bytes(b"\n".join(line for line, _ in BAD.values()))
    before = tree(tmp_path / "lake")
    job = dataset.import_files([file])
    assert (job.errors, job.entities, job.rows) == (len(BAD), 0, 0)
    assert sorted(entry["line"] for entry in quarantined(dataset, job)) == list(range(1, len(BAD) + 1))
    assert tree(tmp_path / "lake") == before


def test_a_later_import_keeps_what_an_earlier_quarantine_held(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_text("nope\n")
    first, second = dataset.import_files([file]), dataset.import_files([file])
    assert first.quarantine != second.quarantine
    assert len(quarantined(dataset, first)) == len(quarantined(dataset, second)) == 1


def test_an_input_without_bad_lines_leaves_no_quarantine(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_text(GOOD)
    job = dataset.import_files([file])
    assert (job.errors, job.quarantine) == (0, None)
    assert not (tmp_path / "lake/acme/quarantine").exists()


def test_the_job_record_counts_bad_lines(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.write_text(f"nope\n{GOOD}\n{{}}\n")
    job = dataset.import_files([file])
    record = dataset.jobs.latest(type(job))
    assert (record.errors, record.done, record.running, record.quarantine) == (2, 1, False, job.quarantine)


def test_several_files_are_named_by_file_and_line(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(f"{GOOD}\n\n\nbad\n")
    two.write_text(f"bad\n{GOOD}")
    job = dataset.import_files([one, two])
    found = [(entry["file"], entry["line"]) for entry in quarantined(dataset, job)]
    assert sorted(found) == [(str(one), 4), (str(two), 1)]


def test_safe_takes_nul_out_of_values_and_trusted_refuses_them(tmp_path):
    file = tmp_path / "in.json"
    file.write_text('{"id":"x","schema":"Company","properties":{"name":["A\\u0000cme"]}}\n')
    safe, trusted = make_dataset(tmp_path / "safe"), make_dataset(tmp_path / "trusted")
    assert safe.import_files([file]).errors == 0
    assert values_of(safe) == [("x", "name", "Acme")]
    job = trusted.import_files([file], trusted=True)
    assert (job.errors, job.entities) == (1, 0)
    assert "'name' holds a NUL" in quarantined(trusted, job)[0]["reason"]


def test_a_value_of_twenty_megabytes_lands(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    value = "word " * (4 << 20) + "end"
    file = tmp_path / "in.json"
    file.write_text(json.dumps(company("big", summary=[value])) + "\n" + GOOD + "\n")
    job = dataset.import_files([file])
    assert (job.errors, job.entities) == (0, 2)
    assert values_of(dataset)[0] == ("big", "summary", value)


@pytest.mark.parametrize("newline", ["\n", ""])
def test_a_line_that_is_too_long_is_kept_by_its_beginning(tmp_path, monkeypatch, newline):
    monkeypatch.setattr(lines_module, "MAX_LINE", 2000)
    monkeypatch.setattr(inputs_module, "_READ", 700)
    dataset = make_dataset(tmp_path / "lake")
    long = json.dumps(company("long", name=["x" * 5000]))
    limit = json.dumps(company("limit", name=["x" * 1900]))
    file = tmp_path / "in.json"
    file.write_text(f"{GOOD}\n{long}\n{limit}\nbad\n{long}{newline}")
    job = dataset.import_files([file])
    assert (job.errors, job.entities) == (3, 2)
    found = sorted((entry["line"], entry["reason"]) for entry in quarantined(dataset, job))
    assert [line for line, _ in found] == [2, 4, 5]
    assert "longer than" in found[0][1]
    assert "longer than" in found[2][1]
    assert all(len(entry["text"]) <= 2000 for entry in quarantined(dataset, job))


def test_every_line_is_counted_whatever_the_size_of_a_read_is(tmp_path, monkeypatch):
    good = [json.dumps(company(f"c{number}", name=["x" * number])) for number in range(40)]
    text = "\n".join(line if number % 7 else f"bad {number}" for number, line in enumerate(good))
    file = tmp_path / "in.json"
    file.write_text(text)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(inputs_module, "_READ", size)
        dataset = make_dataset(tmp_path / f"lake{size}")
        job = dataset.import_files([file])
        assert [entry["line"] for entry in quarantined(dataset, job)] == [1, 8, 15, 22, 29, 36]
        assert job.entities == 34
