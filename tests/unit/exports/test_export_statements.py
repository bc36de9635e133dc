import csv
import gzip
import io

import pytest

from lakehouse_assets.exports.statements_csv import HEADER, StatementsCsv
from tests.unit.exports.tables import LAST, base, make_view, people, row


def text_of(view):
    return view.location.read("exports/statements.csv").decode()


def test_without_a_table_there_is_the_header_alone(tmp_path):
    view = make_view(tmp_path)
    [result] = StatementsCsv().write(view)
    assert view.location.read("exports/statements.csv") == HEADER
    assert (result.rows, result.bytes) == (0, len(HEADER))


def test_each_statement_is_a_line_as_other_programs_write_it(tmp_path):
    rows = [
        row("e1", "name", "Jane Doe", original_value='JANE "D"', lang="eng", origin="src1"),
        row("e1", "notes", "two\nlines", "Person", external=True, fragment="f", role="r"),
    ]
    StatementsCsv().write(view := make_view(tmp_path, rows))
    first, second = (found["id"] for found in rows)
    seen = "2024-01-02 03:04:05.000000Z,2024-02-02 03:04:05.000006Z"
    assert text_of(view) == (
        '"id","entity_id","canonical_id","prop","prop_type","schema","value","original_value","dataset","origin",'
        '"lang","external","first_seen","last_seen","fragment","role"\n'
        f'"{first}","e1","e1","name","name","Person","Jane Doe","JANE ""D""","acme","src1","eng",false,{seen},"",\n'
        f'"{second}","e1","e1","notes","text","Person","two\nlines",,"acme","default",,true,{seen},"f","r"\n'
    )


def test_a_null_is_nothing_and_an_empty_text_is_two_quotes(tmp_path):
    rows = [row("e1", "name", "a", role="r"), row("e1", "name", "b", fragment="f")]
    StatementsCsv().write(view := make_view(tmp_path, rows))
    ends = sorted(line.rpartition("Z,")[2] for line in text_of(view).splitlines()[1:])
    assert ends == ['"","r"', '"f",']


def test_followthemoney_reads_the_file(tmp_path):
    from followthemoney.statement.serialize import read_csv_statements

    StatementsCsv().write(view := make_view(tmp_path, people()))
    with view.location.open("exports/statements.csv") as file:
        found = list(read_csv_statements(file))
    assert sorted((found.id, found.value, found.lang, found.external) for found in found) == sorted(
        (found["id"], found["value"], found["lang"], found["external"]) for found in people()
    )


def test_the_bytes_do_not_tell_in_how_many_commits_the_rows_came(tmp_path):
    rows = people()
    one = make_view(tmp_path / "one", rows)
    three = make_view(tmp_path / "three", rows[5:], rows[:7], rows[2:9])
    assert StatementsCsv().write(one)[0].digest == StatementsCsv().write(three)[0].digest


def test_deleted_statements_are_left_out(tmp_path):
    gone = row("e1", "name", "gone", deleted_at=LAST)
    StatementsCsv().write(view := make_view(tmp_path, [base("e1"), gone]))
    assert "gone" not in text_of(view)


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_digest_and_size_are_those_of_the_file_as_it_is_stored(tmp_path, compression):
    import hashlib

    view = make_view(tmp_path, people(), compression=compression)
    [result] = StatementsCsv().write(view)
    data = view.location.read(f"exports/statements.csv.{compression}")
    assert result.path == f"exports/statements.csv.{compression}"
    assert (result.digest, result.bytes) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_compressed_file_holds_the_same(tmp_path):
    plain = make_view(tmp_path / "plain", people())
    packed = make_view(tmp_path / "packed", people(), compression="gz")
    StatementsCsv().write(plain)
    StatementsCsv().write(packed)
    assert gzip.decompress(packed.location.read("exports/statements.csv.gz")).decode() == text_of(plain)


def test_an_export_that_fails_leaves_the_old_file(tmp_path):
    view = make_view(tmp_path, people())
    StatementsCsv().write(view)
    before = text_of(view)
    next(tmp_path.rglob("*.parquet")).unlink()
    with pytest.raises(FileNotFoundError):
        StatementsCsv().write(view)
    assert text_of(view) == before


def test_every_line_has_all_fields(tmp_path):
    StatementsCsv().write(view := make_view(tmp_path, people()))
    rows = list(csv.reader(io.StringIO(text_of(view), newline="")))
    assert {len(fields) for fields in rows} == {16}
    assert len(rows) == 1 + len(people())
