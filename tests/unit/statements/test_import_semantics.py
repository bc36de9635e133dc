"""What an import makes of the lines: rows, their origins, roles, fragments and times, and where they lie."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from followthemoney import model
from followthemoney.dataset import Dataset as FtmDataset
from followthemoney.statement.entity import StatementEntity

from lakehouse_assets.lake import Lake
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements import sorting
from tests.factories import company, entity, make_dataset, person, rows_of, values_of, write_lines

LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
OPTION = datetime(2021, 6, 7, tzinfo=UTC)


@pytest.fixture
def acme(tmp_path):
    return make_dataset(tmp_path / "lake")


def import_lines(dataset, *entities, name="in.json", **options):
    """An import of entities from a file beside the lake."""
    folder = dataset.lake.location.path.parent
    return dataset.import_files([write_lines(folder / name, entities)], **options)


def base_row(dataset):
    return rows_of(dataset).filter(pl.col("prop") == "id").row(0, named=True)


def value_row(dataset):
    return rows_of(dataset).filter(pl.col("prop") != "id").row(0, named=True)


@pytest.mark.parametrize(
    ("line", "options", "wanted"),
    [
        ({}, {}, "default"),
        ({}, {"origin": "leak"}, "leak"),
        ({"origin": "own"}, {"origin": "leak"}, "own"),
        ({"origin": ["own"]}, {"origin": "leak"}, "own"),
        ({"origin": []}, {"origin": "leak"}, "leak"),
        ({"origin": ["a", "b"]}, {"origin": "leak"}, "leak"),
        ({"origin": ""}, {"origin": "leak"}, "leak"),
        ({"origin": None}, {"origin": "leak"}, "leak"),
        ({"origin": "own"}, {"origin": "leak", "override_origin": True}, "leak"),
        ({"origin": "own"}, {"override_origin": True}, "default"),
    ],
)
def test_a_lines_own_origin_wins_unless_overridden(acme, line, options, wanted):
    import_lines(acme, company() | line, **options)
    assert rows_of(acme)["origin"].unique().to_list() == [wanted]


@pytest.mark.parametrize(
    ("line", "option", "wanted"),
    [
        ({}, None, None),
        ({}, "press", "press"),
        ({"role": "court"}, "press", "court"),
        ({"role": ["court"]}, "press", "court"),
        ({"role": ["court", "press"]}, "desk", "desk"),
        ({"role": ["court", "press"]}, None, None),
        ({"role": ""}, "press", "press"),
    ],
)
def test_the_role_option_only_fills_in(acme, line, option, wanted):
    import_lines(acme, company() | line, role=option)
    assert rows_of(acme)["role"].unique().to_list() == [wanted]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [({}, ""), ({"fragment": "f1"}, "f1"), ({"fragment": ["f1"]}, "f1"), ({"fragment": ["a", "b"]}, "")],
)
def test_a_line_may_name_its_fragment(acme, line, wanted):
    import_lines(acme, company() | line)
    assert rows_of(acme)["fragment"].unique().to_list() == [wanted]


def test_without_any_time_first_and_last_seen_are_one_now_for_the_whole_import(acme):
    before = datetime.now(UTC)
    import_lines(acme, *[company(f"c{number}") for number in range(50)])
    rows = rows_of(acme)
    [now] = set(rows["first_seen"]) | set(rows["last_seen"])
    assert before <= now <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("line", "option", "first", "last"),
    [
        ({"last_change": "2020-01-02T03:04:05.678901"}, OPTION, LONG_AGO, LONG_AGO),
        ({"first_seen": "2020-01-02T03:04:05.678901"}, OPTION, LONG_AGO, OPTION),
        ({"last_seen": "2020-01-02T03:04:05.678901+00:00"}, OPTION, LONG_AGO, LONG_AGO),
        ({}, OPTION, OPTION, OPTION),
        ({"first_seen": "2022", "last_seen": "2020-01-02T03:04:05.678901Z"}, None, LONG_AGO, LONG_AGO),
        (
            {"first_seen": "2019-03", "last_seen": "2020-01-02T05:04:05.678901+02:00"},
            None,
            datetime(2019, 3, 1, tzinfo=UTC),
            LONG_AGO,
        ),
        ({"first_seen": "", "last_seen": None, "last_change": "2020-01-02 03:04:05.678901"}, None, LONG_AGO, LONG_AGO),
    ],
)  # fmt: skip
def test_times_come_from_the_line_then_its_last_change_then_the_option(acme, line, option, first, last):
    import_lines(acme, company() | line, last_seen=option)
    row = value_row(acme)
    assert (row["first_seen"], row["last_seen"]) == (first, last)


def test_the_row_of_the_entity_is_first_seen_when_it_last_changed(acme):
    times = {
        "first_seen": "2019-01-01",
        "last_change": "2020-01-02T03:04:05.678901",
        "last_seen": "2022-01-01",
    }
    import_lines(acme, company() | times)
    assert value_row(acme)["first_seen"] == datetime(2019, 1, 1, tzinfo=UTC)
    assert base_row(acme)["first_seen"] == LONG_AGO
    assert base_row(acme)["last_seen"] == datetime(2022, 1, 1, tzinfo=UTC)
    assert json.loads(acme.get(["c1"])["c1"])["last_change"].startswith("2020-01-02T03:04:05.678901")


def test_without_last_change_the_row_of_the_entity_is_first_seen_with_its_values(acme):
    import_lines(acme, company() | {"first_seen": "2019-01-01", "last_seen": "2022-01-01"})
    assert base_row(acme)["first_seen"] == datetime(2019, 1, 1, tzinfo=UTC)


def test_doubled_values_count_once_and_empty_ones_are_counted(acme):
    job = import_lines(acme, company("c1", name=["A", "A", "", "B", "A"], alias=[]), trusted=True)
    assert values_of(acme) == [("c1", "name", "A"), ("c1", "name", "B")]
    assert (job.empty, job.rows, job.entities) == (1, 3, 1)


def test_values_that_become_equal_by_cleaning_count_once(acme):
    import_lines(acme, company("c1", name=["Acme  Ltd", "Acme Ltd"], jurisdiction=["DE", "de", "Germany"]))
    assert values_of(acme) == [("c1", "jurisdiction", "de"), ("c1", "name", "Acme Ltd")]


def test_values_of_unknown_and_stub_properties_are_left_out_and_counted(acme):
    data = company("c1", name=["A"], nope=["x", "y"], birthDate=["1970"], ownershipAsset=["o1"])
    job = import_lines(acme, data)
    assert values_of(acme) == [("c1", "name", "A")]
    assert job.unknown == {"Company.birthDate": 1, "Company.nope": 2, "Company.ownershipAsset": 1}
    assert job.rejected == {}


def test_values_that_cleaning_rejects_are_counted_by_property_and_the_entity_lands(acme):
    data = person(
        "p1", name=["Jane"], nationality=["Atlantis", "Nowhereland", "de"], birthDate=["soon"], email=["x"]
    )
    job = import_lines(acme, data)
    assert values_of(acme) == [("p1", "name", "Jane"), ("p1", "nationality", "de")]
    assert job.rejected == {"Person.birthDate": 1, "Person.email": 1, "Person.nationality": 2}
    assert (job.errors, job.quarantine) == (0, None)
    assert acme.jobs.latest(type(job)).rejected == job.rejected


def test_trusted_takes_values_as_they_are_and_safe_keeps_what_cleaning_changed(tmp_path):
    data = person("p1", name=[" Jane   Doe "], nationality=["Germany"])
    trusted, safe = make_dataset(tmp_path / "a/lake"), make_dataset(tmp_path / "b/lake")
    import_lines(trusted, data, trusted=True)
    import_lines(safe, data)
    assert values_of(trusted) == [("p1", "name", " Jane   Doe "), ("p1", "nationality", "Germany")]
    assert rows_of(trusted)["original_value"].null_count() == 3
    found = rows_of(safe).filter(pl.col("prop") != "id").select("value", "original_value").rows()
    assert found == [("Jane Doe", " Jane   Doe "), ("de", "Germany")]


def test_an_entity_without_values_still_has_a_row(acme):
    job = import_lines(acme, company("c1") | {"properties": {}}, {"id": "c2", "schema": "Company"})
    assert (job.entities, job.rows) == (2, 2)
    assert sorted(rows_of(acme)["entity_id"]) == ["c1", "c2"]


def test_several_lines_of_one_entity_are_united_and_each_leaves_its_own_row_of_the_entity(acme):
    import_lines(acme, company("c1", name=["A"]), person("p1"), company("c1", name=["B", "A"]))
    assert values_of(acme) == [("c1", "name", "A"), ("c1", "name", "B"), ("p1", "name", "Jane Doe")]
    assert len(rows_of(acme).filter((pl.col("prop") == "id") & (pl.col("entity_id") == "c1"))) == 2


def test_lines_of_one_entity_in_two_buckets_keep_their_values_in_both(acme):
    import_lines(acme, entity("x", "Person", name=["N"]), entity("x", "Document", name=["N"]))
    found = rows_of(acme).filter(pl.col("prop") == "name").select("bucket", "schema", "value").rows()
    assert found == [("document", "Document", "N"), ("thing", "Person", "N")]


def test_lines_of_one_entity_with_one_fragment_keep_only_the_newest_emission(acme):
    older = company("c1", name=["Old", "Both"]) | {"fragment": "f", "last_seen": "2020"}
    newer = company("c1", name=["New", "Both"]) | {"fragment": "f", "last_seen": "2021"}
    import_lines(acme, newer, older)
    assert values_of(acme) == [("c1", "name", "Both"), ("c1", "name", "New")]


def test_one_entity_of_several_origins_and_roles_keeps_the_rows_of_each(acme):
    for origin in ("one", "two"):
        for role in (None, "r"):
            import_lines(acme, company(), origin=origin, role=role)
    found = rows_of(acme).filter(pl.col("prop") == "name").select("origin", "role").rows()
    assert found == [("one", None), ("one", "r"), ("two", None), ("two", "r")]


def test_the_signature_of_a_namespace_is_taken_off_ids_and_references(acme, caplog):
    signature = "0123456789abcdef0123456789abcdef01234567"
    caplog.set_level("INFO")
    import_lines(
        acme,
        company(f"c1.{signature}"),
        entity(f"o1.{signature}", "Ownership", asset=[f"c1.{signature}"], owner=["p1"]),
    )
    assert values_of(acme) == [("c1", "name", "Acme Inc."), ("o1", "asset", "c1"), ("o1", "owner", "p1")]
    assert "2 ids" in caplog.text


def test_statement_ids_are_those_of_this_dataset_whatever_the_line_says(acme):
    import_lines(acme, company() | {"datasets": ["elsewhere"], "statement_ids": ["x"]})
    row = value_row(acme)
    assert row["id"] == s.statement_id("acme", "c1", "name", "Acme Inc.")
    assert row["dataset"] == "acme"


def test_importing_the_same_file_again_leaves_the_content_as_it_was_last_seen_aside(acme):
    lines = [company(), person(), company("c1", alias=["X"]), person("p2") | {"fragment": "f", "role": "r"}]
    import_lines(acme, *lines)
    before = rows_of(acme)
    import_lines(acme, *lines)
    after = rows_of(acme)
    assert before.drop("last_seen").equals(after.drop("last_seen"))
    assert (after["last_seen"] > before["last_seen"]).all()
    acme.merge()
    assert rows_of(acme).equals(after)


def test_an_import_is_one_commit_whatever_it_holds(acme):
    lines = [
        entity(f"{schema}{number}", schema) | {"origin": origin}
        for schema in ("Company", "Document", "Page", "Mention", "Ownership")
        for origin in ("one", "two")
        for number in range(3)
    ]
    for version in (1, 2):
        import_lines(acme, *lines)
        assert acme.statements.table.snapshot().version == version
    assert len(acme.statements.reader.partitions()) == 10


def test_an_import_stamps_the_tags_of_its_partitions_and_of_the_statements(acme):
    before = datetime.now(UTC)
    import_lines(acme, company(), entity("d1", "Document") | {"origin": "crawl"})
    keys = {key for key in acme.tags.keys("statements") if key.endswith("last_updated")}
    assert keys == {
        "statements/last_updated",
        "statements/0/thing/default/last_updated",
        "statements/0/document/crawl/last_updated",
    }
    assert all(before <= acme.tags.get(key) <= datetime.now(UTC) for key in keys)
    first = acme.tags.get("statements/0/document/crawl/last_updated")
    import_lines(acme, company())
    assert acme.tags.get("statements/0/document/crawl/last_updated") == first
    assert acme.tags.get("statements/0/thing/default/last_updated") > first


def test_a_merge_stamps_every_partition_with_the_time_it_began(acme):
    import_lines(acme, company(), entity("d1", "Document"))
    before = datetime.now(UTC)
    acme.merge()
    found = {key: acme.tags.get(key) for key in acme.tags.keys("statements") if "last_updated" not in key}
    moments = {key: at for key, at in found.items() if at is not None}
    assert {
        "statements/last_optimized",
        "statements/last_merged",
        "statements/0/thing/default/last_optimized",
        "statements/0/document/default/last_optimized",
    } <= set(moments)
    assert all(before <= at <= datetime.now(UTC) for at in moments.values())


def test_shards_are_those_of_the_config_and_files_lie_in_their_folders(tmp_path):
    dataset = make_dataset(tmp_path / "lake", shards=4)
    import_lines(dataset, *[company(f"c{number}") for number in range(40)], origin="mapping:x")
    rows = rows_of(dataset)
    assert (rows["shard"] == pl.Series([s.shard_of(id, 4) for id in rows["entity_id"]])).all()
    assert sorted(rows["shard"].unique()) == ["0", "1", "2", "3"]
    folders = {path.parent.as_posix() for path in (tmp_path / "lake/acme/statements").rglob("*.parquet")}
    place = (tmp_path / "lake/acme/statements").as_posix()
    assert folders == {f"{place}/shard={shard}/bucket=thing/origin=mapping%3Ax" for shard in range(4)}


class TestDeleting:
    def test_a_deleted_entity_is_gone_from_every_read_at_once(self, acme):
        import_lines(acme, company(), person())
        job = acme.delete(["c1", "nobody"])
        assert (job.entities, job.rows, job.missing, job.done) == (1, 2, ["nobody"], 1)
        assert values_of(acme) == [("p1", "name", "Jane Doe")]
        assert acme.get(["c1"]) == {}
        assert acme.entities.get("c1") is None
        assert list(acme.query(schema="Company")) == []
        acme.merge()
        assert values_of(acme) == [("p1", "name", "Jane Doe")]

    def test_deleting_what_is_not_there_changes_nothing(self, acme):
        import_lines(acme, company())
        version = acme.content_version()
        assert acme.delete(["nobody"]).missing == ["nobody"]
        assert acme.delete(["c1"], origin="elsewhere").missing == ["c1"]
        assert acme.delete([]).entities == 0
        assert acme.content_version() == version

    def test_deleting_twice_finds_nothing_the_second_time(self, acme):
        import_lines(acme, company())
        acme.delete(["c1"])
        assert acme.delete(["c1"]).missing == ["c1"]

    def test_deleting_from_one_origin_leaves_the_others(self, acme):
        import_lines(acme, company("c1", name=["One"]), origin="one")
        import_lines(acme, company("c1", name=["Two"]), origin="two")
        assert acme.delete(["c1"], origin="one").entities == 1
        assert values_of(acme) == [("c1", "name", "Two")]

    def test_many_entities_are_deleted_at_once(self, acme):
        import_lines(acme, *[company(f"c{number:03}") for number in range(300)])
        assert acme.delete([f"c{number:03}" for number in range(0, 300, 2)]).entities == 150
        assert len(values_of(acme)) == 150

    def test_deleted_rows_of_the_future_stay_deleted(self, acme):
        import_lines(acme, company() | {"last_seen": "2999-01-01"})
        acme.delete(["c1"])
        assert values_of(acme) == []
        acme.merge()
        assert values_of(acme) == []

    @pytest.mark.parametrize("merged", [False, True])
    @pytest.mark.parametrize("fragment", [{}, {"fragment": "f"}])
    @pytest.mark.parametrize(
        "times", [{}, {"last_seen": "2020"}, {"last_change": "2019"}, {"last_seen": "2999-01-01"}]
    )
    def test_an_import_after_a_delete_brings_back_merged_or_not(self, acme, merged, fragment, times):
        line = company("c1", name=["A", "B"]) | fragment | times
        import_lines(acme, line, person())
        acme.delete(["c1"])
        if merged:
            acme.merge(force=True)
        import_lines(acme, company("c1", name=["A"]) | fragment | times)
        wanted = [("c1", "name", "A"), ("p1", "name", "Jane Doe")]
        assert values_of(acme) == wanted
        acme.merge(force=True)
        assert values_of(acme) == wanted
        assert acme.entities.get("c1").get("name") == ["A"]

    def test_an_import_brings_back_only_its_own_origin_and_role(self, acme):
        for origin, role in (("one", None), ("two", None), ("one", "r")):
            import_lines(acme, company() | {"last_seen": "2020"}, origin=origin, role=role)
        acme.delete(["c1"])
        import_lines(acme, company() | {"last_seen": "2020"}, origin="two")
        found = rows_of(acme).select("origin", "role").unique().rows()
        assert found == [("two", None)]

    def test_rows_that_no_tombstone_hides_keep_their_own_time(self, acme):
        import_lines(acme, company("c1"), company("c2"))
        acme.delete(["c1"])
        import_lines(
            acme, company("c1", alias=["New"]) | {"last_seen": "2020"}, company("c3") | {"last_seen": "2020"}
        )
        found = dict(rows_of(acme).filter(pl.col("prop") != "id").select("value", "last_seen").rows())
        assert found["New"] == datetime(2020, 1, 1, tzinfo=UTC)


class TestAddingFromPython:
    def test_proxies_statement_entities_and_mappings_are_taken(self, acme):
        proxy = model.make_entity("Person")
        proxy.id = "p1"
        proxy.add("name", "Jane")
        statements = StatementEntity(
            FtmDataset({"name": "x", "title": "x"}), {"id": "c1", "schema": "Company"}
        )
        statements.add("name", "Acme")
        mapping = company("c2", name=["Bolt"])
        assert acme.entities.add_many([proxy, statements, mapping], origin="api") == 3
        assert values_of(acme) == [("c1", "name", "Acme"), ("c2", "name", "Bolt"), ("p1", "name", "Jane")]
        assert rows_of(acme)["origin"].unique().to_list() == ["api"]

    def test_a_generator_is_read_once_and_lands_in_one_commit(self, acme):
        count = acme.entities.add_many(company(f"c{number}") for number in range(5000))
        assert count == 5000
        assert acme.statements.table.snapshot().version == 1

    def test_a_generator_that_fails_leaves_nothing(self, acme):
        def entities():
            yield company()
            raise RuntimeError("the source broke")

        with pytest.raises(RuntimeError, match="the source broke"):
            acme.entities.add_many(entities())
        assert acme.content_version() == "none"

    def test_nothing_to_add_adds_nothing(self, acme):
        assert acme.entities.add_many([]) == 0
        assert acme.content_version() == "none"

    def test_what_was_added_comes_back_as_an_entity(self, acme):
        acme.entities.add_many([person("p1", name=["Jane"], nationality=["de"])])
        found = acme.entities.get("p1")
        assert (found.schema.name, found.get("name"), found.get("nationality")) == (
            "Person",
            ["Jane"],
            ["de"],
        )
        assert {
            row.dataset.name if hasattr(row.dataset, "name") else row.dataset for row in found.statements
        } == {"acme"}


class TestManyLines:
    """Lines that do not fit into memory are sorted in runs; nothing of it shows."""

    @pytest.fixture
    def lines(self):
        schemata = ("Company", "Person", "Document", "Ownership")
        found = [
            entity(f"e{number * 7919 % 1000:04}", schemata[number % 4], **_properties(number))
            for number in range(3000)
        ]
        return [data | {"last_seen": "2020", "first_seen": "2019"} for data in found]

    @pytest.mark.parametrize(
        ("run", "block"), [(1, 1), (20_000, 2_000), (20_000, 1 << 30), (1 << 30, 30_000)]
    )
    def test_sorting_in_runs_gives_the_same_table_as_in_memory(
        self, tmp_path, monkeypatch, lines, run, block
    ):
        whole, pieces = make_dataset(tmp_path / "a/lake"), make_dataset(tmp_path / "b/lake")
        import_lines(whole, *lines)
        monkeypatch.setattr(sorting, "RUN_BYTES", run if run > 1 else 5000)
        monkeypatch.setattr(sorting, "BLOCK_BYTES", block)
        monkeypatch.setattr("lakehouse_assets.statements.inputs._READ", 30_000)
        job = import_lines(pieces, *lines)
        assert (job.entities, job.errors) == (3000, 0)
        assert pieces.statements.table.snapshot().version == 1
        assert rows_of(pieces).equals(rows_of(whole))
        assert [
            str(state.partition) for state in pieces.statements.reader.partitions() if not state.canonical
        ] == []

    def test_the_runs_are_gone_afterwards_also_when_the_import_fails(self, tmp_path, monkeypatch, lines):
        monkeypatch.setenv("LAKEHOUSE_TEMP_DIRECTORY", str(tmp_path / "temp"))
        monkeypatch.setattr(sorting, "RUN_BYTES", 5000)
        monkeypatch.setattr("lakehouse_assets.statements.inputs._READ", 30_000)
        (tmp_path / "temp").mkdir()
        dataset = make_dataset(tmp_path / "lake")
        import_lines(dataset, *lines)
        with pytest.raises(ValueError, match="line 3001"):
            import_lines(dataset, *lines, {"id": ""}, strict=True)
        assert list((tmp_path / "temp").iterdir()) == []


def _properties(number):
    names = {0: ["name", "jurisdiction"], 1: ["name", "nationality"], 2: ["title"], 3: ["startDate"]}[
        number % 4
    ]
    values = {"jurisdiction": "de", "nationality": "fr", "startDate": f"20{number % 20:02}"}
    return {name: [values.get(name, f"{name} {number % 50}")] for name in names}


def test_an_entity_file_comes_back_through_its_export(tmp_path):
    first, second = make_dataset(tmp_path / "a/lake"), make_dataset(tmp_path / "b/lake")
    lines = [company("c1", name=["A"], jurisdiction=["de"]), person("p1"), company("c1", alias=["AA"])]
    import_lines(
        first, *[line | {"first_seen": "2019", "last_seen": "2020"} for line in lines], origin="leak"
    )
    first.export("entities")
    exported = tmp_path / "a/lake/acme/entities.ftm.json"
    second.import_files([exported], trusted=True)
    assert values_of(second) == values_of(first)
    assert set(rows_of(second)["origin"]) == {"leak"}
    assert set(rows_of(second)["last_seen"]) == {datetime(2020, 1, 1, tzinfo=UTC)}
    second.export("entities")
    one, two = (
        (json.loads(line) for line in exported.read_text().splitlines()),
        (tmp_path / "b/lake/acme/entities.ftm.json").read_text().splitlines(),
    )
    assert list(one) == [json.loads(line) for line in two]


def test_a_lake_opened_anew_reads_the_same(tmp_path, acme):
    import_lines(acme, company(), person())
    again = Lake(tmp_path / "lake").dataset("acme")
    assert rows_of(again).equals(rows_of(acme))
    assert again.content_version() == acme.content_version()


def test_a_reader_that_is_open_sees_what_others_wrote_since(tmp_path, acme):
    import_lines(acme, company())
    again = Lake(tmp_path / "lake").dataset("acme")
    assert len(values_of(again)) == 1
    import_lines(acme, person())
    acme.merge(force=True)
    assert len(values_of(again)) == 2
