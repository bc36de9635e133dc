"""Names, settings and folders that cannot be used: refused with their place, and nothing is touched."""

from datetime import UTC, datetime

import deltalake
import polars as pl
import pytest

from lakehouse_assets.errors import Conflict, InvalidData, LakehouseError, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.statements import schema as s
from tests.factories import company, make_dataset, tree, values_of, write_lines

BAD_NAMES = [
    "../x", "..", ".", "", "/abs", "a/b", "catalog", "default", "A", "A B", "ü", "a-b", "_a", "a_", "a__b", "a\0b",
    "a\n", "x" * 300 + "-", ".lakehouse",
]  # fmt: skip

BAD_CONFIGS = {
    "no YAML": (b"name: acme\n  title: [", "line 2"),
    "a tab": (b"name: acme\ntitle:\n\t- x", "line 3"),
    "a list": (b"- name\n- acme\n", "expected a mapping"),
    "a text": (b"acme", "expected a mapping"),
    "bytes": (b"\x00\x01\xff", "not YAML"),
    "a word for shards": (b"name: acme\nshards: many\n", "line 2: shards"),
    "an unknown compression": (b"name: acme\n\ncompression: rar\n", "line 3: compression"),
    "a list for a title": (b"name: acme\ntitle: [a, b]\n", "line 2: title"),
    "a bad address": (b"name: acme\npublic_url_prefix: nowhere\n", "public_url_prefix"),
    "a bad name": (b"name: ../x\n", "line 1: name"),
    "a python object": (b"name: !!python/object/apply:os.system ['true']\n", "not YAML"),
}

BAD_PIPELINES = {
    "no YAML": (b"crawl: [", "pipeline.yml, line"),
    "a typo": (b"schedules: {}\ncrawll: []\n", "pipeline.yml, line 2: crawll"),
    "a bad schedule": (b"schedules:\n  make: hourly\n", "line 2: schedules.make"),
    "a text": (b"off", "expected a mapping"),
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused_and_nothing_is_made(tmp_path, name):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(InvalidData, match="cannot be the name of a dataset"):
        lake.create_dataset(name)
    with pytest.raises(InvalidData, match="cannot be the name of a dataset"):
        lake.dataset(name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_dataset_is_not_made_and_the_message_says_how(tmp_path):
    with pytest.raises(NotFound, match="lakehouse dataset create acme"):
        Lake(tmp_path / "lake").dataset("acme")
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_cannot_be_made_twice(tmp_path):
    make_dataset(tmp_path, title="First")
    before = tree(tmp_path)
    with pytest.raises(Conflict, match="there already"):
        make_dataset(tmp_path, title="Second")
    assert tree(tmp_path) == before


def test_folders_that_are_no_datasets_are_passed_by(tmp_path):
    make_dataset(tmp_path)
    for name in ("empty", "Bad Name", ".lakehouse", "catalog"):
        (tmp_path / name).mkdir()
    (tmp_path / "Bad Name/config.yml").write_text("name: x")
    (tmp_path / "catalog/config.yml").write_text("name: catalog")
    (tmp_path / "file").write_text("x")
    assert Lake(tmp_path).datasets() == ["acme"]


@pytest.mark.parametrize("kind", BAD_CONFIGS)
def test_a_broken_config_is_named_with_its_line_and_nothing_is_changed(tmp_path, kind):
    content, reason = BAD_CONFIGS[kind]
    dataset = make_dataset(tmp_path / "lake")
    (tmp_path / "lake/acme/config.yml").write_bytes(content)
    file = write_lines(tmp_path / "in.json", [company()])
    before = tree(tmp_path / "lake")
    for work in (
        lambda: dataset.import_files([file]),
        lambda: dataset.make(),
        lambda: dataset.export("index"),
        lambda: dataset.configure(title="new"),
        lambda: dataset.status(),
    ):
        with pytest.raises(InvalidData) as caught:
            work()
        assert "acme/config.yml" in str(caught.value)
        assert reason in str(caught.value)
    assert tree(tmp_path / "lake") == before


@pytest.mark.parametrize("kind", BAD_PIPELINES)
def test_a_broken_pipeline_is_named_with_its_line(tmp_path, kind):
    content, reason = BAD_PIPELINES[kind]
    dataset = make_dataset(tmp_path)
    (tmp_path / "acme/pipeline.yml").write_bytes(content)
    with pytest.raises(InvalidData) as caught:
        _ = dataset.pipeline
    assert reason in str(caught.value)
    assert "acme/pipeline.yml" in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"shards": "x"}, {"compression": "rar"}, {"title": ["x"]}, {"name": "other"}]
)
def test_a_refused_change_of_the_config_leaves_it_as_it_was(tmp_path, changes):
    dataset = make_dataset(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(InvalidData):
        dataset.configure(**changes)
    assert tree(tmp_path) == before


def test_the_number_of_shards_is_fixed_once_there_are_statements(tmp_path):
    dataset = make_dataset(tmp_path / "lake", shards=4)
    dataset.configure(shards=8)
    dataset.import_files([write_lines(tmp_path / "in.json", [company()])])
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData, match="number of shards cannot change"):
        dataset.configure(shards=2)
    assert tree(tmp_path / "lake") == before


FOREIGN_TABLES = {
    "another schema": (pl.DataFrame({"a": [1]}), None, "lacks"),
    "one column more": ("extra", s.PARTITION_BY, "has unknown extra"),
    "one column less": ("less", s.PARTITION_BY, "lacks value"),
    "another partition order": ("plain", ["bucket", "origin", "shard"], "is partitioned by"),
    "no partitions": ("plain", None, "is partitioned by nothing"),
}


@pytest.mark.parametrize("kind", FOREIGN_TABLES)
def test_a_table_that_is_not_ours_is_neither_read_nor_written(tmp_path, kind):
    frame, partitions, reason = FOREIGN_TABLES[kind]
    if isinstance(frame, str):
        frame = _statement(frame)
    dataset = make_dataset(tmp_path / "lake")
    place = tmp_path / "lake/acme/statements"
    deltalake.write_deltalake(str(place), frame.to_arrow(), partition_by=partitions)
    file = write_lines(tmp_path / "in.json", [company()])
    before = tree(tmp_path / "lake")
    for work in (
        lambda: dataset.import_files([file]),
        lambda: dataset.merge(),
        lambda: dataset.delete(["a"]),
        lambda: dataset.export("statements"),
        lambda: dataset.make(),
        lambda: list(dataset.query()),
    ):
        with pytest.raises(InvalidData) as caught:
            work()
        assert "acme/statements" in str(caught.value)
        assert reason in str(caught.value)
    assert tree(tmp_path / "lake") == before


def test_a_folder_of_statements_that_is_no_table_is_refused(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    log = tmp_path / "lake/acme/statements/_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not a commit")
    before = tree(tmp_path / "lake")
    with pytest.raises(LakehouseError, match="acme/statements"):
        dataset.import_files([write_lines(tmp_path / "in.json", [company()])])
    assert tree(tmp_path / "lake") == before


@pytest.mark.parametrize("origin", ["a/b", "", "..", ".", "a\\b", "a'b", 'a"b', "a\nb", "x" * 256, "a..b"])
def test_a_bad_origin_is_refused_before_anything_is_read(tmp_path, origin):
    dataset = make_dataset(tmp_path / "lake")
    file = write_lines(tmp_path / "in.json", [company()])
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData, match="cannot be an origin"):
        dataset.import_files([file], origin=origin)
    with pytest.raises(InvalidData, match="cannot be an origin"):
        dataset.entities.add_many([company()], origin=origin)
    assert tree(tmp_path / "lake") == before


@pytest.mark.parametrize(
    "origin", ["a b", "mapping:5a6a", "ü", "a=b", "100%", "a+b", "x" * 255, "Großes Ö?#&"]
)
def test_any_other_origin_can_be_imported_read_merged_and_deleted(tmp_path, origin):
    dataset = make_dataset(tmp_path / "lake")
    file = write_lines(tmp_path / "in.json", [company()])
    if len(origin) < 200:
        # longer ones make folder names that this file system refuses
        dataset.import_files([file], origin=origin)
        dataset.import_files([file], origin=origin)
        assert [state.partition.origin for state in dataset.statements.reader.partitions()] == [origin]
        dataset.merge()
        assert values_of(dataset) == [("c1", "name", "Acme Inc.")]
        assert dataset.delete(["c1"], origin=origin).entities == 1
        assert values_of(dataset) == []


def test_an_unknown_export_or_check_is_refused_with_those_that_there_are(tmp_path):
    dataset = make_dataset(tmp_path)
    with pytest.raises(InvalidData, match="statements, entities, documents, statistics, index"):
        dataset.export("graph")
    with pytest.raises(InvalidData, match="statements_csv/intact"):
        dataset.check("statements_csv", "nope")


def test_a_time_without_a_zone_is_utc(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    file = write_lines(tmp_path / "in.json", [company()])
    dataset.import_files([file], last_seen=datetime(2024, 1, 2, 3))
    [rows] = dataset.statements.reader.scan()
    assert rows["last_seen"].unique().to_list() == [datetime(2024, 1, 2, 3, tzinfo=UTC)]


def _statement(kind):
    row = {
        name: "x" for name in s.COLUMNS if name not in ("external", "first_seen", "last_seen", "deleted_at")
    }
    now = datetime.now(UTC)
    row |= {"external": False, "first_seen": now, "last_seen": now, "deleted_at": now}
    frame = pl.DataFrame([row], schema=s.frame_schema())
    if kind == "extra":
        return frame.with_columns(extra=pl.lit("x"))
    return frame.drop("value") if kind == "less" else frame
