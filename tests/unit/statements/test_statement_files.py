"""Importing statements from files: CSV and parquet, ours and those of other programs."""

import bz2
import csv
import gzip
import io
import json
import sys
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from followthemoney import model
from followthemoney.dataset import Dataset as FtmDataset
from followthemoney.statement.entity import StatementEntity
from followthemoney.statement.serialize import CSV, write_statements
from followthemoney.statement.statement import Statement
from followthemoney.statement.util import NON_LANG_TYPE_NAMES

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements import csv_rows, inputs, sorting
from lakehouse_assets.statements.assemble import NO_LANGUAGE
from lakehouse_assets.statements.schema import statement_id
from tests.factories import (
    company,
    entity,
    make_dataset,
    person,
    quarantined,
    rows_of,
    tree,
    values_of,
    write_lines,
)

HEADER = ["entity_id", "schema", "prop", "value"]
SEEN = {"first_seen": "2020-01-01T00:00:00", "last_seen": "2021-02-03T04:05:06"}


@pytest.fixture
def acme(tmp_path):
    """An empty dataset."""
    return make_dataset(tmp_path / "lake")


def write_csv(path, *rows, columns=None):
    """A CSV of statements; a row is a dictionary."""
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, dialect=csv.unix_dialect, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(value="Acme", prop="name", entity_id="c1", schema="Company", **more):
    """A statement as a dictionary."""
    return {"entity_id": entity_id, "schema": schema, "prop": prop, "value": value, **more}


def content(dataset):
    """All rows that count, without what a dataset's name decides: ids, and the checksums made of them."""
    rows = rows_of(dataset).drop("id", "dataset")
    rows = rows.with_columns(value=pl.when(pl.col("prop") != "id").then("value"))
    return rows.sort(rows.columns)


def mixed_entities():
    """Entities of several buckets and origins, with times, roles, fragments, odd texts and values to clean."""
    return [
        company("c1", name=["Acme  Ltd", 'with "quotes", and\nlines\r\nof text'], jurisdiction=["Germany"])
        | {"last_change": "2024-05-06T07:08:09.123456"},
        company("c1", name=["Acme"]) | {"origin": "leak", "role": "desk"},
        person("p1", name=["Zoë 😀"], nationality=["de"], birthDate=["1980"]) | {"fragment": "f1"},
        entity("d1", "PlainText", fileName=["a;b.txt"], bodyText=[" spaces ", "\t", "NULL"]),
        entity("e1", "Event", name=["Meeting"]) | {"first_seen": "2019-01-01", "last_seen": "2020-01-01"},
        {"id": "bare", "schema": "Company", "properties": {}},
    ]


def exported(tmp_path, *entities, compression=None, **options):
    """A dataset with entities, and its statements.csv."""
    config = {"compression": compression} if compression else {}
    dataset = make_dataset(tmp_path / "other", "source", **config)
    dataset.import_files([write_lines(tmp_path / "in.json", entities or mixed_entities())], **options)
    return dataset, dataset.location.path / dataset.export("statements").path


class TestOurCsv:
    @pytest.mark.parametrize("compression", [None, "gz", "zst"])
    def test_it_comes_back_as_it_was(self, tmp_path, acme, compression):
        source, file = exported(tmp_path, compression=compression)
        job = acme.import_files([file])
        assert (job.errors, job.rejected, job.unknown, job.empty) == (0, {}, {}, 0)
        assert job.entities == 5
        assert content(acme).equals(content(source))

    def test_in_a_dataset_of_the_same_name_the_ids_are_the_same(self, tmp_path):
        source, file = exported(tmp_path)
        again = make_dataset(tmp_path / "again", "source")
        again.import_files([file], trusted=True)
        assert rows_of(again).equals(rows_of(source))

    def test_importing_it_where_it_came_from_changes_nothing(self, tmp_path):
        source, file = exported(tmp_path)
        before = rows_of(source)
        source.import_files([file])
        assert rows_of(source).equals(before)
        source.merge()
        assert rows_of(source).equals(before)

    def test_a_partition_that_came_from_it_alone_needs_no_merge(self, tmp_path, acme):
        _, file = exported(tmp_path)
        acme.import_files([file])
        assert acme.status().dirty_partitions == []

    def test_ids_are_made_from_this_dataset_whatever_the_file_says(self, tmp_path, acme):
        file = write_csv(tmp_path / "in.csv", row(id="nonsense", dataset="elsewhere", canonical_id="x"))
        acme.import_files([file])
        rows = rows_of(acme).filter(pl.col("prop") == "name")
        assert rows["id"].to_list() == [statement_id("acme", "c1", "name", "Acme")]
        assert rows["dataset"].to_list() == ["acme"]

    def test_what_a_merge_would_have_to_compare_is_compared_at_once(self, tmp_path, acme):
        old, new = row(last_seen="2020-01-01", first_seen="2019-01-01"), row(last_seen="2021-01-01")
        acme.import_files([write_csv(tmp_path / "in.csv", new, old, new)])
        found = rows_of(acme).filter(pl.col("prop") == "name")
        assert [moment.year for moment in (*found["first_seen"], *found["last_seen"])] == [2019, 2021]
        assert acme.status().dirty_partitions == []


class TestForeignCsv:
    def test_followthemoneys_own_is_read(self, tmp_path, acme):
        proxy = model.get_proxy(company("c1", name=["Acme", "Ümläut"], country=["de"]))
        statements = list(Statement.from_entity(proxy, "elsewhere", origin="crawl", **SEEN))
        with open(tmp_path / "in.csv", "wb") as file:
            write_statements(file, CSV, statements)
        job = acme.import_files([tmp_path / "in.csv"])
        assert (job.errors, job.entities, job.rows) == (0, 1, 4)
        assert values_of(acme) == [("c1", "country", "de"), ("c1", "name", "Acme"), ("c1", "name", "Ümläut")]
        rows = rows_of(acme)
        assert set(rows["origin"]) == {"crawl"}
        assert set(rows["first_seen"]) == {datetime(2020, 1, 1, tzinfo=UTC)}
        assert set(rows["last_seen"]) == {datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)}

    def test_each_row_keeps_what_it_says_of_itself(self, tmp_path, acme):
        said = {
            "lang": "eng", "external": "true", "original_value": "ACME", "origin": "leak", "role": "desk",
            "fragment": "f", **SEEN,
        }  # fmt: skip
        acme.import_files([write_csv(tmp_path / "in.csv", row(**said))], origin="other", role="other")
        [found] = rows_of(acme).filter(pl.col("prop") == "name").iter_rows(named=True)
        kept = {name: found[name] for name in ("lang", "original_value", "origin", "role", "fragment")}
        assert kept == {name: said[name] for name in kept}
        assert found["external"] is True
        assert found["id"] == statement_id("acme", "c1", "name", "Acme", "eng", external=True)

    def test_options_fill_in_where_a_row_does_not_say(self, tmp_path, acme):
        file = write_csv(tmp_path / "in.csv", row("A"), row("B", origin="leak"))
        acme.import_files([file], origin="desk", role="me", last_seen=datetime(2022, 1, 1, tzinfo=UTC))
        found = rows_of(acme).filter(pl.col("prop") == "name").sort("value")
        assert found["origin"].to_list() == ["desk", "leak"]
        assert found["role"].to_list() == ["me", "me"]
        assert {moment.year for moment in found["last_seen"]} == {2022}

    def test_an_origin_is_overridden_on_demand(self, tmp_path, acme):
        acme.import_files(
            [write_csv(tmp_path / "in.csv", row(origin="leak"))], origin="desk", override_origin=True
        )
        assert set(rows_of(acme)["origin"]) == {"desk"}

    def test_the_language_of_a_value_that_can_have_none_is_dropped(self, tmp_path, acme):
        file = write_csv(tmp_path / "in.csv", row("de", prop="country", lang="deu"), row("A", lang="deu"))
        acme.import_files([file])
        assert dict(rows_of(acme).select("prop", "lang").iter_rows())["country"] is None
        assert set(NO_LANGUAGE) == set(NON_LANG_TYPE_NAMES)

    def test_an_original_value_that_is_the_value_is_none(self, tmp_path, acme):
        acme.import_files([write_csv(tmp_path / "in.csv", row(original_value="Acme"))])
        assert rows_of(acme)["original_value"].null_count() == 2

    def test_entities_get_a_row_of_their_own_by_origin_and_schema(self, tmp_path, acme):
        file = write_csv(
            tmp_path / "in.csv",
            row("A", origin="one"),
            row("B", origin="two"),
            row("C", schema="LegalEntity"),
        )
        assert acme.import_files([file]).entities == 1
        own = rows_of(acme).filter(pl.col("prop") == "id")
        assert sorted(own.select("origin", "schema").iter_rows()) == [
            ("default", "LegalEntity"), ("one", "Company"), ("two", "Company"),
        ]  # fmt: skip

    def test_ids_with_dots_stay_whole(self, tmp_path, acme):
        acme.import_files([write_csv(tmp_path / "in.csv", row(entity_id="a.b"))])
        assert values_of(acme) == [("a.b", "name", "Acme")]

    def test_values_are_cleaned_unless_trusted(self, tmp_path, acme):
        file = write_csv(
            tmp_path / "in.csv",
            row("Germany", prop="jurisdiction"),
            row("Acme  Ltd", original_value="ACME"),
            row("no country at all", prop="country"),
        )
        job = acme.import_files([file])
        assert job.rejected == {"Company.country": 1}
        found = {row["value"]: row["original_value"] for row in rows_of(acme).iter_rows(named=True)}
        assert (found["de"], found["Acme Ltd"]) == ("Germany", "ACME")
        trusted = make_dataset(tmp_path / "lake", "trusted")
        trusted.import_files([file], trusted=True)
        assert {value for _, _, value in values_of(trusted)} == {"Germany", "Acme  Ltd", "no country at all"}

    def test_unknown_properties_and_empty_values_are_counted(self, tmp_path, acme):
        job = acme.import_files(
            [write_csv(tmp_path / "in.csv", row(), row(prop="wings"), row(""), row(prop="wings"))]
        )
        assert (job.errors, job.unknown, job.empty) == (0, {"Company.wings": 2}, 1)
        assert values_of(acme) == [("c1", "name", "Acme")]

    @pytest.mark.parametrize(
        "text", ["2021-02-03", "2021-02", "2021-02-03T04:05:06Z", "2021-02-03 05:05:06.5+01:00"]
    )
    def test_times_are_read_in_every_usual_form(self, tmp_path, acme, text):
        acme.import_files(
            [write_csv(tmp_path / "in.csv", row(last_seen=text), row("B", last_seen="2021-02-03"))]
        )
        assert {moment.strftime("%Y-%m") for moment in rows_of(acme)["last_seen"]} == {"2021-02"}

    def test_a_first_time_alone_is_the_last_one_too(self, tmp_path, acme):
        acme.import_files([write_csv(tmp_path / "in.csv", row(first_seen="2020-01-01"))])
        assert {moment.year for moment in rows_of(acme)["last_seen"]} == {2020}


BAD = {
    "no entity_id": row(entity_id=""),
    "no schema": row(schema=""),
    "no prop": row(prop=""),
    "unknown schema 'Spaceship'": row(schema="Spaceship"),
    "abstract schema 'Thing'": row(schema="Thing"),
    "last_seen 'yesterday' is no time": row(last_seen="yesterday"),
    "first_seen '2020-02-30 00:00:00' is no time": row(first_seen="2020-02-30 00:00:00"),
    "external is 'perhaps', neither true nor false": row(external="perhaps"),
    "origin": row(origin="a/b"),
    "'entity_id' holds a NUL character": row(entity_id="c\0"),
}


class TestBadRows:
    @pytest.mark.parametrize("reason", BAD)
    def test_a_bad_row_is_kept_with_its_number_and_the_others_land(self, tmp_path, acme, reason):
        file = write_csv(tmp_path / "in.csv", row("two\nlines"), BAD[reason], row("B"))
        job = acme.import_files([file], trusted=True)
        [entry] = quarantined(acme, job)
        assert (entry["file"], entry["line"]) == (str(file), 3)
        assert reason in entry["reason"]
        assert entry["text"].startswith('"')
        assert values_of(acme) == [("c1", "name", "B"), ("c1", "name", "two\nlines")]

    def test_too_few_and_too_many_cells(self, tmp_path, acme):
        text = b"entity_id,schema,prop,value\nc1,Company,name\nc1,Company,name,A\n\nc1,Company,name,A,B\n"
        (tmp_path / "in.csv").write_bytes(text)
        job = acme.import_files([tmp_path / "in.csv"])
        found = [(entry["line"], entry["reason"], entry["text"]) for entry in quarantined(acme, job)]
        assert found == [
            (2, "3 cells, where the header has 4", "c1,Company,name"),
            (5, "5 cells, where the header has 4", "c1,Company,name,A,B"),
        ]
        assert values_of(acme) == [("c1", "name", "A")]

    def test_what_is_no_utf8(self, tmp_path, acme):
        text = b'entity_id,schema,prop,value\nc1,Company,name,A\nc1,Company,name,"\xff"\nc1,Company,name,B\n'
        (tmp_path / "in.csv").write_bytes(text)
        [entry] = quarantined(acme, acme.import_files([tmp_path / "in.csv"]))
        assert (entry["line"], entry["reason"]) == (3, "not UTF-8")
        assert len(values_of(acme)) == 2

    def test_a_nul_in_a_value_is_cleaned_away_or_refused(self, tmp_path, acme):
        file = write_csv(tmp_path / "in.csv", row("Ac\0me"))
        assert acme.import_files([file]).errors == 0
        assert "\0" not in values_of(acme)[0][2]
        assert acme.import_files([file], trusted=True).errors == 1

    def test_strict_refuses_all_of_it(self, tmp_path, acme):
        before = tree(tmp_path / "lake")
        file = write_csv(tmp_path / "in.csv", row(), row(schema="Spaceship"))
        with pytest.raises(InvalidData, match="line 3: unknown schema"):
            acme.import_files([file], strict=True)
        assert tree(tmp_path / "lake") == before

    def test_a_row_counts_as_bad_once(self, tmp_path, acme):
        file = write_csv(tmp_path / "in.csv", row(entity_id="", schema="Spaceship", last_seen="never"))
        assert [entry["reason"] for entry in quarantined(acme, acme.import_files([file]))] == ["no entity_id"]


REFUSED = {
    "the header of another table": (b"id,name\n1,Acme\n", "no column entity_id, schema, prop, value"),
    "semicolons": (b"entity_id;schema;prop;value\n", "no column"),
    "one column missing": (b"entity_id,schema,prop\n", "no column value"),
    "a column twice": (b"entity_id,schema,prop,value,value\n", "the column value twice"),
    "a quote that is never closed": (
        b'entity_id,schema,prop,value\nc1,Company,name,A\nc1,Company,name,"B\nc1,Company,name,C\n',
        "line 3: a quote",
    ),
    "no text at all": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "no column"),
}


class TestRefusedFiles:
    @pytest.mark.parametrize("kind", REFUSED)
    def test_a_file_that_holds_no_statements_is_one_error(self, tmp_path, acme, kind):
        text, reason = REFUSED[kind]
        (tmp_path / "in.csv").write_bytes(text)
        good = write_csv(tmp_path / "good.csv", row())
        before = tree(tmp_path / "lake")
        with pytest.raises(InvalidData, match=reason) as caught:
            acme.import_files([good, tmp_path / "in.csv"])
        assert "in.csv" in str(caught.value)
        assert "othing was imported" in str(caught.value)
        assert tree(tmp_path / "lake") == before

    def test_an_empty_file_and_a_header_alone_change_nothing(self, tmp_path, acme):
        (tmp_path / "empty.csv").touch()
        header = write_csv(tmp_path / "header.csv", columns=HEADER)
        assert acme.import_files([tmp_path / "empty.csv", header]).entities == 0
        assert acme.content_version() == "none"

    def test_a_torn_file_changes_nothing(self, tmp_path, acme):
        packed = gzip.compress(write_csv(tmp_path / "in.csv", row()).read_bytes())
        (tmp_path / "torn.csv.gz").write_bytes(packed[:-6])
        with pytest.raises(InvalidData, match=r"torn\.csv\.gz"):
            acme.import_files([tmp_path / "torn.csv.gz"])
        assert acme.content_version() == "none"


class TestShapesOfFiles:
    def test_byte_order_mark_and_windows_line_ends(self, tmp_path, acme):
        text = b'\xef\xbb\xbf"entity_id","schema","prop","value"\r\n"c1","Company","name","A"\r\n'
        (tmp_path / "in.csv").write_bytes(text)
        assert acme.import_files([tmp_path / "in.csv"]).errors == 0
        assert values_of(acme) == [("c1", "name", "A")]

    def test_no_newline_at_the_end(self, tmp_path, acme):
        (tmp_path / "in.csv").write_bytes(b"entity_id,schema,prop,value\nc1,Company,name,A")
        acme.import_files([tmp_path / "in.csv"])
        assert values_of(acme) == [("c1", "name", "A")]

    @pytest.mark.parametrize(
        "name",
        ["in.csv.gz", "in.csv.bz2", "in.csv.zst", "IN.CSV", "packed without telling.csv", "in.txt", "in"],
    )
    def test_a_csv_is_told_by_name_or_by_its_header(self, tmp_path, acme, name):
        text = write_csv(tmp_path / "given.csv", row()).read_bytes()
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstandard.compress}
        suffix = name[name.rfind(".") :] if "." in name else ""
        packed = gzip.compress(text) if name.startswith("packed") else pack.get(suffix, bytes)(text)
        (tmp_path / name).write_bytes(packed)
        assert acme.import_files([tmp_path / name]).entities == 1

    @pytest.mark.parametrize("kind", ["csv", "json", "parquet", "csv.gz"])
    def test_stdin_is_told_by_its_beginning(self, tmp_path, acme, monkeypatch, kind):
        text = write_csv(tmp_path / "given.csv", row()).read_bytes()
        pq.write_table(pa.Table.from_pylist([row()]), tmp_path / "given.parquet")
        given = {
            "csv": text,
            "csv.gz": gzip.compress(text),
            "json": json.dumps(company("c1", name=["Acme"])).encode(),
            "parquet": (tmp_path / "given.parquet").read_bytes(),
        }
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given[kind])))
        assert acme.import_files(["-"]).entities == 1
        assert values_of(acme) == [("c1", "name", "Acme")]

    def test_a_line_of_json_that_talks_of_columns_is_json(self, tmp_path, acme, monkeypatch):
        line = json.dumps(company("c1", name=["entity_id,prop"])).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
        acme.import_files(["-"])
        assert values_of(acme) == [("c1", "name", "entity_id,prop")]

    def test_entities_and_statements_of_one_call_are_one_commit(self, tmp_path, acme):
        lines = write_lines(tmp_path / "a.json", [company("c1", name=["A"]), company("c3")])
        rows = write_csv(tmp_path / "b.csv", row("B"), row("C", entity_id="c2"), row("A"))
        pq.write_table(pa.Table.from_pylist([row("D")]), tmp_path / "c.parquet")
        job = acme.import_files([lines, rows, tmp_path / "c.parquet"])
        assert acme.content_version().endswith(":1")
        assert job.bytes == sum(file.stat().st_size for file in (lines, rows, tmp_path / "c.parquet"))
        found = [(entity_id, value) for entity_id, _, value in values_of(acme)]
        assert found == [("c1", "A"), ("c1", "B"), ("c1", "D"), ("c2", "C"), ("c3", "Acme Inc.")]
        before = content(acme)
        acme.merge()
        assert content(acme).equals(before)

    def test_a_bad_row_of_the_second_file_names_that_file(self, tmp_path, acme):
        first = write_csv(tmp_path / "a.csv", row())
        second = write_csv(tmp_path / "b.csv", row("B"), row(schema="Spaceship"))
        [entry] = quarantined(acme, acme.import_files([first, second]))
        assert (entry["file"], entry["line"]) == (str(second), 3)

    @pytest.mark.parametrize(
        ("run", "block", "chunk"), [(1, 1, 100), (4000, 2000, 61), (1 << 20, 1 << 20, 7000)]
    )
    def test_the_result_does_not_depend_on_how_it_is_cut(
        self, tmp_path, acme, monkeypatch, run, block, chunk
    ):
        lines = [
            company(f"c{number % 97}", name=[f'"{number}"\n,'], alias=["x" * 50]) for number in range(300)
        ]
        source, file = exported(tmp_path, *lines, trusted=True)
        monkeypatch.setattr(sorting, "RUN_BYTES", run)
        monkeypatch.setattr("lakehouse_assets.statements.imports.ROW_BLOCK_BYTES", block)
        monkeypatch.setattr(inputs, "_READ", chunk)
        job = acme.import_files([file], trusted=True)
        assert job.errors == 0
        properties = pl.col("prop") != "id"
        assert content(acme).filter(properties).equals(content(source).filter(properties))

    def test_a_value_longer_than_what_is_read_at_once_stays_whole(self, tmp_path, acme, monkeypatch):
        monkeypatch.setattr(inputs, "_READ", 50)
        long = "x\n" * 2000 + "y"
        acme.import_files([write_csv(tmp_path / "in.csv", row(long, prop="description"))], trusted=True)
        assert values_of(acme) == [("c1", "description", long)]

    def test_a_row_without_end_is_an_error_before_it_fills_the_memory(self, tmp_path, acme, monkeypatch):
        monkeypatch.setattr(inputs, "_READ", 50)
        monkeypatch.setattr(csv_rows, "MAX_LINE", 1000)
        file = write_csv(tmp_path / "in.csv", row(), row("x" * 5000))
        with pytest.raises(InvalidData, match="line 3"):
            acme.import_files([file])

    def test_progress_is_told_in_bytes_of_all_files(self, tmp_path, acme):
        told = []
        first, second = write_csv(tmp_path / "a.csv", row()), write_lines(tmp_path / "b.json", [company()])
        acme.import_files([first, second], progress=lambda *heard: told.append(heard))
        size = first.stat().st_size + second.stat().st_size
        assert {unit for _, _, unit in told} == {"bytes"}
        assert {done + pending for done, pending, _ in told} == {size}
        assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
        assert told[-1][:2] == (size, 0)


class TestParquet:
    def test_a_data_file_of_a_table_comes_back_with_its_origin(self, tmp_path, acme):
        source, _ = exported(tmp_path, company("c1"), person("p1"), origin="mapping:x")
        [file] = (source.location.path / "statements").rglob("*.parquet")
        acme.import_files([file])
        assert content(acme).equals(content(source))
        assert set(rows_of(acme)["origin"]) == {"mapping:x"}

    def test_all_data_files_of_a_table_come_back(self, tmp_path, acme):
        source, _ = exported(tmp_path)
        files = sorted((source.location.path / "statements").rglob("*.parquet"))
        assert len(files) > 3
        assert acme.import_files(files).errors == 0
        assert content(acme).equals(content(source))

    def test_what_tombstones_of_a_table_hide_does_not_come_back(self, tmp_path, acme):
        source, _ = exported(tmp_path, company("c1"), company("c2"))
        source.delete(["c1"])
        files = sorted((source.location.path / "statements").rglob("*.parquet"))
        assert len(files) == 2
        acme.import_files(files)
        assert content(acme).equals(content(source))
        assert {entity_id for entity_id, _, _ in values_of(acme)} == {"c2"}

    def test_types_of_other_writers_are_taken(self, tmp_path, acme):
        moment = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)
        table = pa.table(
            {
                "entity_id": pa.array(["c1"]).dictionary_encode(),
                "schema": pa.array(["Company"], pa.large_string()),
                "prop": pa.array(["name"], pa.string_view()),
                "value": ["Acme"],
                "first_seen": pa.array([moment], pa.timestamp("ns")),
                "last_seen": pa.array([moment], pa.timestamp("ms", "Europe/Berlin")),
                "external": pa.array([None], pa.bool_()),
                "lang": pa.nulls(1),
                "note": [{"passed": "by"}],
            }
        )
        pq.write_table(table, tmp_path / "in.parquet")
        assert acme.import_files([tmp_path / "in.parquet"]).errors == 0
        assert set(rows_of(acme)["first_seen"]) == set(rows_of(acme)["last_seen"]) == {moment}

    def test_bad_rows_are_kept_with_their_number(self, tmp_path, acme):
        pq.write_table(
            pa.Table.from_pylist([row(), row(schema="Spaceship"), row("B")]), tmp_path / "in.parquet"
        )
        [entry] = quarantined(acme, acme.import_files([tmp_path / "in.parquet"]))
        assert (entry["line"], entry["reason"]) == (2, "unknown schema 'Spaceship'")
        assert json.loads(entry["text"])["schema"] == "Spaceship"
        assert len(values_of(acme)) == 2

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ({"id": [1], "name": ["x"]}, "no column entity_id"),
            (
                {"entity_id": [1], "schema": ["Company"], "prop": ["name"], "value": ["x"]},
                "entity_id holds int64",
            ),
            ({**{name: ["x"] for name in HEADER}, "last_seen": [5]}, "last_seen holds int64"),
        ],
    )
    def test_another_schema_is_one_error(self, tmp_path, acme, table, reason):
        pq.write_table(pa.table(table), tmp_path / "in.parquet")
        before = tree(tmp_path / "lake")
        with pytest.raises(InvalidData, match=reason) as caught:
            acme.import_files([tmp_path / "in.parquet"])
        assert "in.parquet" in str(caught.value)
        assert "othing was imported" in str(caught.value)
        assert tree(tmp_path / "lake") == before

    def test_a_damaged_file_is_one_error(self, tmp_path, acme):
        pq.write_table(pa.Table.from_pylist([row()]), tmp_path / "in.parquet")
        whole = (tmp_path / "in.parquet").read_bytes()
        for part in (whole[:-20], b"PAR1", b"", whole[:50] + b"\0" * 50 + whole[100:]):
            (tmp_path / "in.parquet").write_bytes(part)
            with pytest.raises(InvalidData, match=r"in\.parquet"):
                acme.import_files([tmp_path / "in.parquet"])
        assert acme.content_version() == "none"

    def test_compressed_files_are_unpacked(self, tmp_path, acme):
        pq.write_table(pa.Table.from_pylist([row()]), tmp_path / "in.parquet")
        (tmp_path / "in.parquet.zst").write_bytes(zstandard.compress((tmp_path / "in.parquet").read_bytes()))
        assert acme.import_files([tmp_path / "in.parquet.zst"]).entities == 1


class TestEntitiesFromPython:
    def test_entities_of_statements_keep_what_each_statement_says(self, acme):
        statement = Statement(
            "c1", "name", "Company", "Acme", "elsewhere", lang="eng", original_value="ACME", origin="leak",
            external=True, first_seen="2020-01-01T00:00:00", last_seen="2021-01-01T00:00:00",
        )  # fmt: skip
        dataset = FtmDataset({"name": "elsewhere", "title": "Elsewhere"})
        given = StatementEntity.from_statements(dataset, [statement])
        job = acme.import_entities([given, company("c2")], origin="desk")
        assert (job.entities, job.errors, job.origin) == (2, 0, "desk")
        rows = rows_of(acme).filter(pl.col("entity_id") == "c1")
        [found] = rows.filter(pl.col("prop") == "name").iter_rows(named=True)
        said = {name: found[name] for name in ("lang", "original_value", "origin", "external")}
        assert said == {"lang": "eng", "original_value": "ACME", "origin": "leak", "external": True}
        assert (found["first_seen"].year, found["last_seen"].year) == (2020, 2021)
        assert set(rows["origin"]) == {"leak"}

    def test_entities_of_one_dataset_come_over_into_another(self, tmp_path, acme):
        lines = [line for line in mixed_entities() if "fragment" not in line and "role" not in line]
        source, _ = exported(tmp_path, *lines)
        assert acme.import_entities(source.entities.query()).errors == 0
        assert content(acme).drop("fragment").equals(content(source).drop("fragment"))

    def test_all_options_are_those_of_files(self, acme):
        acme.import_entities([company("c1"), company("c2")], origin="desk", role="me")
        job = acme.import_entities(
            iter([company("c1")]), origin="desk", role="me", replace=True, trusted=True
        )
        assert (job.deleted, job.mode, job.replace) == (2, "trusted", True)
        with pytest.raises(InvalidData, match="the entities given, line 2"):
            acme.import_entities([company(), {"id": "x"}], strict=True)
