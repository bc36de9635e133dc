import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets import MappingJob, MappingOperation, layout
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Dataset
from tests.factories import company, make_dataset, rows_of, tree, values_of, write_lines
from tests.unit.mapping.tables import HEADER, MAPPING, ROWS, csv_bytes, mapping, workbook


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    """A dataset without anything in it."""
    return make_dataset(tmp_path / "lake")


def add(dataset: Dataset, folder: Path, data: bytes, text: str = MAPPING, **options: Any) -> str:
    """Add a mapping of a file called companies.csv; gives the file's checksum."""
    (folder / "companies.csv").write_bytes(data)
    (folder / "companies.yml").write_text(text)
    added = dataset.mappings.add(folder / "companies.yml", file=folder / "companies.csv", **options)
    return added.mapping.content_hash


def origins(dataset: Dataset) -> Counter[str]:
    return Counter(rows_of(dataset)["origin"]) if len(rows_of(dataset)) else Counter()


def names(dataset: Dataset) -> list[str]:
    return sorted(value for _, prop, value in values_of(dataset) if prop == "name")


def test_a_table_becomes_entities_in_one_commit(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes(encoding="cp1252", delimiter=";"))
    job = MappingOperation.from_job(MappingJob.make(dataset="acme", content_hash=content_hash), acme).run()
    assert (job.done, job.entities, job.records, job.errors, job.deleted) == (3, 3, 3, 0, 0)
    assert job.schemata == {"Company": 3}
    assert job.files == ["companies.csv"]
    assert job.read_as == [
        {"format": "csv", "encoding": "cp1252", "delimiter": ";", "quote": '"', "header": "1"}
    ]
    assert names(acme) == sorted(row[1] for row in ROWS)
    assert set(origins(acme)) == {f"mapping:{content_hash}"}
    assert acme.content_version().endswith(":1")
    record = json.loads(acme.location.read(layout.job_run("MappingJob", job.run_id)))
    assert (record["done"], record["running"], record["exc"]) == (3, False, None)


def test_an_operation_needs_only_a_job(
    acme: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    monkeypatch.setenv("LAKEHOUSE_URI", str(tmp_path / "lake"))
    operation = MappingOperation(job=MappingJob.make(dataset="acme", content_hash=content_hash))
    assert operation.get_target() == f"mappings/{content_hash}/last_processed"
    assert list(operation.get_dependencies()) == [f"mappings/{content_hash}/mapping.yml"]
    assert operation.run().done == 3
    assert acme.tags.get(operation.get_target()) is not None


def test_ids_are_those_of_followthemoney_and_the_file_is_the_proof(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes([HEADER, ["1", "Acme", "de"]]))
    acme.mappings.run_one(content_hash)
    # sha1 of "acme" and "1"
    entity_id = "839c0285227de8bf67fc5d9712ba6c4df268e3d9"
    assert values_of(acme) == [
        (entity_id, "country", "de"),
        (entity_id, "name", "Acme"),
        (entity_id, "proof", content_hash),
    ]


def test_what_cleaning_changed_is_kept_beside_it_and_what_it_refused_is_counted(
    acme: Dataset, tmp_path: Path
) -> None:
    rows = [HEADER, ["1", "Acme  Inc.", "Germany"], ["2", "Other", "Atlantis"]]
    job = acme.mappings.run_one(add(acme, tmp_path, csv_bytes(rows)))
    changed = rows_of(acme).filter(pl.col("original_value").is_not_null())
    assert sorted(changed.select("prop", "value", "original_value").rows()) == [
        ("country", "de", "Germany"),
        ("name", "Acme Inc.", "Acme  Inc."),
    ]
    assert job.rejected == {"Company.country": 1}


def test_what_did_not_change_is_not_mapped_again(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash)
    before = tree(tmp_path / "lake", reports=True)
    again = acme.mappings.run_one(content_hash)
    assert (again.skipped, again.done, again.running) == (True, 0, False)
    assert tree(tmp_path / "lake", reports=True) == before
    forced = acme.mappings.run_one(content_hash, force=True)
    assert (forced.skipped, forced.done) == (False, 3)


def test_a_changed_mapping_takes_back_what_it_does_not_say_any_more(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.import_files([write_lines(tmp_path / "other.json", [company("c1", name=["Another"])])])
    acme.mappings.run_one(content_hash)
    add(acme, tmp_path, csv_bytes(), MAPPING.replace("            country: {column: country}\n", ""))
    job = acme.mappings.run_one(content_hash)
    # a country of each, and the row of each entity as it was
    assert job.deleted == 6
    assert {prop for _, prop, _ in values_of(acme)} == {"name", "proof"}
    assert "Another" in names(acme)
    before = values_of(acme)
    acme.merge()
    assert values_of(acme) == before


def test_a_mapping_that_is_edited_on_disk_is_stale(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash)
    path = tmp_path / "lake" / "acme" / layout.mapping(content_hash)
    path.write_text(path.read_text().replace("column: name", "column: country"))
    assert acme.mappings.run_one(content_hash).skipped is False
    assert names(acme) == ["de", "fr", "us"]


def test_going_back_to_an_earlier_mapping_runs_it_again(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    other = MAPPING.replace("column: name", "column: country")
    for text, found in ((MAPPING, "Acme, Inc."), (other, "us"), (MAPPING, "Acme, Inc.")):
        add(acme, tmp_path, csv_bytes(), text)
        assert acme.mappings.run_one(content_hash).skipped is False
        assert found in names(acme)


def test_a_run_of_another_program_counts_by_its_tags(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.tags.set(layout.mapping_tag(content_hash))
    assert acme.mappings.run_one(content_hash).skipped
    acme.mappings.put(acme.mappings.get(content_hash).with_changes(replaces=[]))
    add(acme, tmp_path, csv_bytes(), MAPPING.replace("column: name", "column: country"))
    assert not acme.mappings.run_one(content_hash).skipped


def test_a_newer_file_of_the_path_takes_the_place_of_the_earlier_one(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(first)
    second = add(acme, tmp_path, csv_bytes([HEADER, ROWS[0], ["4", "New", "it"]]))
    assert acme.mappings.get(second).replaces == [first]
    # nothing goes before the new one is there
    assert set(origins(acme)) == {f"mapping:{first}"}
    acme.mappings.run_one(second)
    assert set(origins(acme)) == {f"mapping:{second}"}
    assert names(acme) == ["Müller & Söhne", "New"]
    assert acme.mappings.wanted() == [second]
    with pytest.raises(InvalidData, match=f"was replaced by that of {second}"):
        acme.mappings.run_one(first, force=True)


def test_an_earlier_file_can_be_taken_back(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(first)
    second = add(acme, tmp_path, csv_bytes([HEADER, ["4", "New", "it"]]))
    acme.mappings.run_one(second)
    for content_hash in (first, second):
        acme.mappings.add(tmp_path / "companies.yml", content_hash=content_hash)
        assert acme.mappings.wanted() == [content_hash]
        assert not acme.mappings.run_one(content_hash).skipped
        assert set(origins(acme)) == {f"mapping:{content_hash}"}


def test_two_files_of_a_path_may_stand_beside_each_other(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes())
    second = add(acme, tmp_path, csv_bytes([HEADER, ["4", "New", "it"]]), beside=True)
    assert [ran.error for ran in acme.mappings.run()] == [None, None]
    assert set(origins(acme)) == {f"mapping:{first}", f"mapping:{second}"}


def test_files_of_other_paths_are_left_alone(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes(), key="2023/companies.csv")
    second = add(acme, tmp_path, csv_bytes([HEADER, ["4", "New", "it"]]), key="2024/companies.csv")
    assert acme.mappings.get(second).replaces == []
    list(acme.mappings.run())
    assert set(origins(acme)) == {f"mapping:{first}", f"mapping:{second}"}


def test_bad_rows_are_quarantined_with_their_number_and_the_others_land(
    acme: Dataset, tmp_path: Path
) -> None:
    data = b"id,name,country\n1,a,de\n2,b\n3,c,fr,x\n4,d,it\n"
    job = acme.mappings.run_one(add(acme, tmp_path, data))
    assert (job.errors, job.entities, job.records) == (2, 2, 4)
    assert names(acme) == ["a", "d"]
    assert job.quarantine is not None
    kept = [json.loads(line) for line in acme.location.read(job.quarantine).splitlines()]
    assert kept == [
        {"file": "companies.csv", "line": 3, "reason": "2 cells, where the header has 3", "text": "2,b"},
        {"file": "companies.csv", "line": 4, "reason": "4 cells, where the header has 3", "text": "3,c,fr,x"},
    ]


def test_columns_that_the_file_does_not_have_are_named_with_the_nearest(
    acme: Dataset, tmp_path: Path
) -> None:
    data = csv_bytes([["id", "name", "contry"], ["1", "Acme", "de"]])
    job = acme.mappings.run_one(add(acme, tmp_path, data))
    assert job.missing == ["country (did you mean contry?)"]
    assert (job.entities, names(acme)) == (1, ["Acme"])


def test_nothing_is_deleted_when_no_entity_came_of_a_file_that_lacks_a_column(
    acme: Dataset, tmp_path: Path
) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash)
    add(acme, tmp_path, csv_bytes(), MAPPING.replace("[id]", "[number]"))
    before = values_of(acme)
    with pytest.raises(InvalidData, match=r"no entity came of companies.csv: it has no column number"):
        acme.mappings.run_one(content_hash)
    assert values_of(acme) == before
    assert not acme.mappings.states()[0].fresh


def test_nothing_is_deleted_when_no_row_could_be_read(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, b"id,name,country\n1,a\n2,b\n")
    with pytest.raises(InvalidData, match="2 of its 2 rows cannot be read"):
        acme.mappings.run_one(content_hash)


def test_a_filter_that_lets_nothing_through_takes_everything_back(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash)
    query = acme.mappings.get(content_hash).queries[0].model_dump(by_alias=True)
    acme.mappings.put(mapping(content_hash=content_hash, queries=[{**query, "filters": {"country": "xx"}}]))
    job = acme.mappings.run_one(content_hash)
    assert (job.entities, values_of(acme)) == (0, [])
    assert job.deleted == 12


def test_queries_may_read_sheets_of_their_own(acme: Dataset, tmp_path: Path) -> None:
    people = [["number", "who"], ["p1", "Jane Doe"]]
    book = workbook(tmp_path, companies=[HEADER, *ROWS], people=people)
    person = {"schema": "Person", "keys": ["number"], "properties": {"name": {"column": "who"}}}
    file = acme.archive.store(book)
    queries = [
        mapping().queries[0].model_dump(by_alias=True),
        {"file": {"sheet": "people"}, "entities": {"person": person}},
    ]
    acme.mappings.put(mapping(content_hash=file.checksum, queries=queries))
    job = acme.mappings.run_one(file.checksum)
    assert job.schemata == {"Company": 3, "Person": 1}
    assert job.missing == []
    assert [how["sheet"] for how in job.read_as] == ["companies", "people"]


@pytest.mark.parametrize("kind", ["gzip", "parquet", "xlsx"])
def test_any_kind_of_table_gives_the_same_statements(acme: Dataset, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "table"
    if kind == "gzip":
        path.write_bytes(gzip.compress(csv_bytes()))
    elif kind == "parquet":
        pl.DataFrame(ROWS, schema=HEADER, orient="row").write_parquet(path)
    else:
        path.write_bytes(workbook(tmp_path, first=[HEADER, *ROWS]).read_bytes())
    acme.mappings.run_one(add(acme, tmp_path, csv_bytes()))
    other = make_dataset(tmp_path / "other")
    file = other.archive.store(path)
    other.mappings.put(mapping(content_hash=file.checksum))
    other.mappings.run_one(file.checksum)
    without_proof = [value for value in values_of(acme) if value[1] != "proof"]
    assert [value for value in values_of(other) if value[1] != "proof"] == without_proof


def test_a_mapping_gives_the_statements_that_an_import_of_its_entities_would(
    acme: Dataset, tmp_path: Path
) -> None:
    from followthemoney import model

    (tmp_path / "table.csv").write_bytes(csv_bytes())
    query = {**mapping().queries[0].model_dump(by_alias=True), "csv_url": str(tmp_path / "table.csv")}
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash)
    other = make_dataset(tmp_path / "other")
    entities = []
    for entity in model.map_entities(query, key_prefix="acme"):
        entity.add("proof", content_hash, cleaned=True)
        entities.append(entity)
    other.import_entities(entities, origin=f"mapping:{content_hash}")
    columns = ["id", "entity_id", "schema", "prop", "prop_type", "value", "origin", "bucket", "shard"]
    assert sorted(rows_of(acme).select(columns).rows()) == sorted(rows_of(other).select(columns).rows())


def test_one_mapping_that_fails_keeps_no_other_from_running(acme: Dataset, tmp_path: Path) -> None:
    broken = add(acme, tmp_path, csv_bytes(), key="a.csv")
    good = add(acme, tmp_path, csv_bytes([HEADER, ["4", "New", "it"]]), key="b.csv")
    path = tmp_path / "lake" / "acme" / layout.mapping(broken)
    path.write_text(path.read_text().replace("Company", "Compny"))
    ran = {each.content_hash: each for each in acme.mappings.run()}
    assert ran[good].job is not None
    assert "did you mean Company" in str(ran[broken].error)
    assert names(acme) == ["New"]
    states = {state.content_hash: state for state in acme.mappings.states()}
    assert "did you mean Company" in str(states[broken].problem)


def test_a_file_that_is_not_archived_is_told_with_what_helps(acme: Dataset) -> None:
    acme.mappings.put(mapping())
    with pytest.raises(NotFound, match="`lakehouse archive ls -d acme`"):
        acme.mappings.run_one(mapping().content_hash)
    with pytest.raises(NotFound, match="has no mapping of 5b5b"):
        acme.mappings.run_one("5b" * 32)


def test_a_table_that_is_not_there_is_told_with_what_helps(acme: Dataset, tmp_path: Path) -> None:
    (tmp_path / "companies.yml").write_text(MAPPING)
    with pytest.raises(
        NotFound, match=r"missing.csv does not exist; .* or by its checksum a table that is archived"
    ):
        acme.mappings.add(tmp_path / "companies.yml", file=tmp_path / "missing.csv")


def test_a_bad_mapping_archives_nothing(acme: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"companies.yml, line 6: .*did you mean Company"):
        add(acme, tmp_path, csv_bytes(), MAPPING.replace("Company", "Compny"))
    assert list(acme.archive.files()) == []


def test_checks_name_mappings_that_have_to_run_and_those_that_cannot(acme: Dataset, tmp_path: Path) -> None:
    assert acme.check("mappings", "is_latest").passed
    content_hash = add(acme, tmp_path, csv_bytes())
    found = acme.check("mappings", "is_latest")
    assert (found.passed, found.severity, found.metadata["stale"]) == (False, "WARN", 1)
    assert found.mend == "`lakehouse map run -d acme`"
    acme.mappings.run_one(content_hash)
    assert acme.check("mappings", "is_latest").passed
    assert acme.check("mappings", "intact").passed
    acme.location.delete(layout.blob(content_hash))
    assert acme.check("mappings", "intact").table[0]["problem"] == "its file is not archived"


def test_a_value_is_explained_by_the_table_that_it_comes_from(acme: Dataset, tmp_path: Path) -> None:
    content_hash = add(acme, tmp_path, csv_bytes([HEADER, ["1", "Acme", "de"]]))
    acme.mappings.run_one(content_hash)
    claim = acme.explain(rows_of(acme)["entity_id"][0], "name").values[0].claims[0]
    assert (claim.made_by, claim.content_hash, claim.files) == ("mapping", content_hash, ["companies.csv"])


def test_progress_ends_with_everything_done(acme: Dataset, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    content_hash = add(acme, tmp_path, csv_bytes())
    acme.mappings.run_one(content_hash, progress=lambda *each: told.append(each))
    size = len(csv_bytes())
    assert told[-1] == (size, 0, "bytes")
    assert all(done + pending == size for done, pending, _ in told)


def archive(dataset: Dataset, data: bytes, key: str = "companies.csv", *, day: int = 1) -> str:
    """A file that a crawl brought, changed on a day of a year to come."""
    at = datetime(2030, 1, day, tzinfo=UTC)
    stored = dataset.archive.put(io.BytesIO(data), key=key, origin="crawl", updated_at=at)
    dataset.archive.touch()
    return stored.file.checksum


def test_a_mapping_goes_over_to_the_newer_file_that_a_crawl_brought(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes())
    list(acme.mappings.run())
    second = archive(acme, csv_bytes([HEADER, ["4", "New", "it"]]))
    assert [ran.content_hash for ran in acme.mappings.run()] == [second]
    assert set(origins(acme)) == {f"mapping:{second}"}
    assert names(acme) == ["New"]
    third = archive(acme, csv_bytes([HEADER, ["5", "Newer", "it"]]), day=2)
    list(acme.mappings.run())
    assert names(acme) == ["Newer"]
    assert acme.mappings.get(third).replaces == [second, first]
    assert acme.mappings.follow() == []


def test_a_pinned_mapping_stays_with_its_file(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes(), MAPPING + "  pinned: yes\n")
    archive(acme, csv_bytes([HEADER, ["4", "New", "it"]]))
    assert [ran.content_hash for ran in acme.mappings.run()] == [first]


def test_a_mapping_does_not_go_over_to_a_file_of_another_kind(
    acme: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = add(acme, tmp_path, csv_bytes())
    archive(acme, csv_bytes([["id", "title"], ["4", "New"]]))
    assert [ran.content_hash for ran in acme.mappings.run()] == [first]
    assert "companies.csv changed and has no column country, name; its mapping stays behind" in caplog.text


def test_a_file_that_still_lies_at_another_path_keeps_what_it_says(acme: Dataset, tmp_path: Path) -> None:
    first = add(acme, tmp_path, csv_bytes())
    archive(acme, csv_bytes(), "copy.csv")
    second = archive(acme, csv_bytes([HEADER, ["4", "New", "it"]]), day=2)
    list(acme.mappings.run())
    assert set(origins(acme)) == {f"mapping:{first}", f"mapping:{second}"}


def test_an_older_content_of_the_path_is_not_gone_over_to(acme: Dataset, tmp_path: Path) -> None:
    at = datetime(2001, 1, 1, tzinfo=UTC)
    acme.archive.put(io.BytesIO(b"id,name,country\n9,Old,de\n"), key="companies.csv", updated_at=at)
    first = add(acme, tmp_path, csv_bytes())
    assert [ran.content_hash for ran in acme.mappings.run()] == [first]
