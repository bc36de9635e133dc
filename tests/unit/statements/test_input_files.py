"""Files that an import reads: compressed, odd, damaged or not there at all."""

import bz2
import gzip
import json

import pytest
import zstandard

from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound, StorageError
from tests.factories import company, make_dataset, quarantined, tree, values_of

LINES = [json.dumps(company(f"c{number}", name=[f"Company {number}"])) for number in range(5)]
VALUES = [(f"c{number}", "name", f"Company {number}") for number in range(5)]
TEXT = "\n".join(LINES).encode() + b"\n"

COMPRESSED = {
    "in.json.gz": gzip.compress(TEXT),
    "in.json.bz2": bz2.compress(TEXT),
    "in.json.zst": zstandard.compress(TEXT),
    "two members.json.gz": gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]),
    "two frames.json.zst": zstandard.compress(TEXT[:50]) + zstandard.compress(TEXT[50:]),
    "two streams.json.bz2": bz2.compress(TEXT[:50]) + bz2.compress(TEXT[50:]),
    "gzip without its suffix.json": gzip.compress(TEXT),
    "plain with a wrong suffix.gz": TEXT,
}

ODD = {
    "CRLF": TEXT.replace(b"\n", b"\r\n"),
    "a BOM": b"\xef\xbb\xbf" + TEXT,
    "blank lines": b"\n\n  \n" + TEXT.replace(b"\n", b"\n\t\r\n\n") + b"\n   ",
    "long blank lines": b" " * 500 + b"\n" + TEXT + b" " * 500,
    "no newline at the end": TEXT.rstrip(),
    "spaces around": b"\n".join(b"  " + line.encode() + b" \t" for line in LINES),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_files_are_told_by_their_first_bytes(tmp_path, name):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / name).write_bytes(COMPRESSED[name])
    job = dataset.import_files([tmp_path / name])
    assert (job.errors, job.entities) == (0, 5)
    assert values_of(dataset) == VALUES


@pytest.mark.parametrize("kind", ODD)
def test_odd_but_harmless_files_are_read(tmp_path, kind):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / "in.json").write_bytes(ODD[kind])
    job = dataset.import_files([tmp_path / "in.json"])
    assert quarantined(dataset, job) == []
    assert (job.errors, job.entities) == (0, 5)
    assert values_of(dataset) == VALUES


def test_blank_lines_count_in_line_numbers(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / "in.json").write_bytes(b"\r\n\n" + TEXT + b"\nbad\r\n")
    [entry] = quarantined(dataset, dataset.import_files([tmp_path / "in.json"]))
    assert (entry["line"], entry["text"]) == (9, "bad")


@pytest.mark.parametrize("name", ["in.json", "in.json.gz", "in.json.zst"])
def test_an_empty_file_imports_nothing(tmp_path, name):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / name).write_bytes(b"")
    before = tree(tmp_path / "lake")
    job = dataset.import_files([tmp_path / name])
    assert (job.errors, job.entities, job.rows, job.exc) == (0, 0, 0, None)
    assert tree(tmp_path / "lake") == before


@pytest.mark.parametrize("name", ["in.json.gz", "in.json.bz2", "in.json.zst"])
@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_file_is_refused_as_a_whole(tmp_path, name, damage):
    lines = "".join(
        json.dumps(company(f"c{number}", name=[f"{number * 7919}"])) + "\n" for number in range(5000)
    )
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "zst": zstandard.compress}[name.rpartition(".")[2]]
    data = bytearray(compress(lines.encode()))
    if damage == "cut":
        data = data[: len(data) * 3 // 4]
    else:
        middle = len(data) // 2
        data[middle : middle + 200] = b"\xaa" * 200
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / name
    file.write_bytes(data)
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData, match=f"cannot read .*{name}"):
        dataset.import_files([file])
    assert tree(tmp_path / "lake") == before


def test_a_missing_file_is_named_before_anything_is_read(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / "in.json").write_bytes(TEXT)
    before = tree(tmp_path / "lake")
    with pytest.raises(NotFound, match=r"nowhere\.json does not exist"):
        dataset.import_files([tmp_path / "in.json", tmp_path / "nowhere.json"])
    assert tree(tmp_path / "lake") == before


def test_a_folder_is_refused(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData, match="is a folder"):
        dataset.import_files([tmp_path])
    assert tree(tmp_path / "lake") == before


@pytest.mark.parametrize("name", ["in.xlsx", "in.ODS", "in.zip"])
def test_other_formats_are_refused_by_name(tmp_path, name):
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / name).write_bytes(b"id,entity_id\n")
    with pytest.raises(InvalidData, match="JSON lines"):
        dataset.import_files([tmp_path / name])


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = tmp_path / "in.json"
    file.mkdir()
    with pytest.raises(LakehouseError, match=r"in\.json"):
        dataset.import_files([file])


def test_a_device_error_while_reading_is_no_success(tmp_path):
    # reading the memory of another address of this process fails with an I/O error after the file was opened
    dataset = make_dataset(tmp_path / "lake")
    before = tree(tmp_path / "lake")
    with pytest.raises((InvalidData, StorageError), match="/proc/self/mem"):
        dataset.import_files(["/proc/self/mem"])
    assert tree(tmp_path / "lake") == before


def test_the_record_of_a_refused_import_says_why(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    with pytest.raises(NotFound):
        dataset.import_files([tmp_path / "nowhere.json"])
    [path] = (tmp_path / "lake/acme/jobs/runs/ImportJob").iterdir()
    record = json.loads(path.read_text())
    assert (record["running"], record["done"]) == (False, 0)
    assert "nowhere.json does not exist" in record["exc"]


def test_several_files_land_in_one_commit(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    names = [tmp_path / "one.json", tmp_path / "two.json.gz"]
    names[0].write_bytes(TEXT)
    names[1].write_bytes(gzip.compress(json.dumps(company("more")).encode()))
    job = dataset.import_files(names)
    assert (job.entities, job.files) == (6, [str(name) for name in names])
    assert dataset.statements.table.snapshot().version == 1


def test_no_files_import_nothing(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    before = tree(tmp_path / "lake")
    assert dataset.import_files([]).entities == 0
    assert tree(tmp_path / "lake") == before
