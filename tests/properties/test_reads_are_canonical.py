"""Which rows count, against plain Python: whatever was appended, by whom, in which order, merged or not."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import deltalake
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.statements import ranges, reader, stage, store
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.datafiles import DataFile, Partition
from lakehouse_assets.statements.footers import Footers
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.storage.location import Location
from tests.factories import make_dataset

NOW = datetime.now(UTC).replace(microsecond=0)
GRACE = timedelta(days=30)
START = NOW - timedelta(days=100)

# old enough to be dropped by a merge, young enough to stay, and two that tie with nothing else
DELETED = [None, None, None, NOW - timedelta(days=60), NOW - timedelta(days=40), NOW - timedelta(days=2)]
KEY = (s.SHARD, s.BUCKET, s.ORIGIN, s.ENTITY_ID, s.PROP, s.ID, s.ROLE, s.FRAGMENT)
SEEN = (s.FIRST_SEEN, s.LAST_SEEN)


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Cuts everywhere: a few rows are read, grouped and sorted at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "ROW_GROUP", 4)
        patch.setattr(store, "RANGE_ROWS", 12)
        patch.setattr(reader, "RANGE_ROWS", 12)
        patch.setattr(store, "ROW_BYTES", 1 << 30)
        patch.setattr(ranges, "_WIDE", 8)
        patch.setattr(ranges.plan, "__defaults__", (6,))
        yield


@st.composite
def rows(draw):
    """One row of a small world, in which much meets: 5 entities, 2 properties, 3 values, roles, fragments, origins."""
    entity_id, prop = draw(st.sampled_from("abcde")), draw(st.sampled_from(["alias", "name"]))
    value = draw(st.sampled_from("xyz"))
    last = draw(st.integers(0, 4))
    return {
        s.SHARD: "0",
        s.ID: s.statement_id("acme", entity_id, prop, value),
        s.ENTITY_ID: entity_id,
        s.DATASET: "acme",
        s.BUCKET: draw(st.sampled_from(["thing", "thing", "document"])),
        s.ORIGIN: draw(st.sampled_from(["one", "one", "two"])),
        s.SOURCE: None,
        s.SCHEMA: "Company",
        s.PROP: prop,
        s.PROP_TYPE: "name",
        s.VALUE: value,
        s.ORIGINAL_VALUE: None,
        s.LANG: None,
        s.EXTERNAL: False,
        s.FIRST_SEEN: START + timedelta(days=draw(st.integers(0, last))),
        s.LAST_SEEN: START + timedelta(days=last),
        s.FRAGMENT: draw(st.sampled_from(["", "", "f", "g"])),
        s.ROLE: draw(st.sampled_from([None, None, "r"])),
        s.DELETED_AT: draw(st.sampled_from(DELETED)),
    }


STEPS = st.one_of(
    st.tuples(st.just("ours"), st.lists(rows(), min_size=1, max_size=25)),
    st.tuples(st.just("theirs"), st.lists(rows(), min_size=1, max_size=25)),
    st.tuples(st.just("theirs in small groups"), st.lists(rows(), min_size=1, max_size=25)),
    st.tuples(st.just("merge"), st.booleans()),
    st.tuples(st.just("compact"), st.booleans()),
    st.tuples(st.just("vacuum"), st.booleans()),
)


def newest(group):
    """The row that counts of those with one identity, with the first_seen of all of them."""
    winner = max(
        group, key=lambda row: (row[s.LAST_SEEN], row[s.DELETED_AT] or datetime.min.replace(tzinfo=UTC))
    )
    return {**winner, s.FIRST_SEEN: min(row[s.FIRST_SEEN] for row in group)}


def what_counts(table):
    """The rows that count, tombstones among them, as the rules say it and not fast."""
    same, latest = defaultdict(list), {}
    for row in table:
        same[tuple(row[name] for name in KEY)].append(row)
        of = fragment_of(row)
        latest[of] = max(latest.get(of, row[s.LAST_SEEN]), row[s.LAST_SEEN])
    winners = [newest(group) for group in same.values()]
    return [row for row in winners if not row[s.FRAGMENT] or row[s.LAST_SEEN] == latest[fragment_of(row)]]


def fragment_of(row):
    return tuple(row[name] for name in (s.SHARD, s.BUCKET, s.ORIGIN, s.ENTITY_ID, s.PROP, s.FRAGMENT, s.ROLE))


def merged(table):
    """What a merge leaves: it forgets what it drops, and later appends do not meet it any more."""
    return [
        row
        for row in what_counts(table)
        if row[s.DELETED_AT] is None or row[s.DELETED_AT] > datetime.now(UTC) - GRACE
    ]


def answer(table):
    """What a reader has to see, in its order."""
    live = [row for row in what_counts(table) if row[s.DELETED_AT] is None]
    order = (s.SHARD, s.BUCKET, *s.ROW_ORDER)
    live.sort(key=lambda row: [(row[name] is not None, row[name] or "") for name in order])
    return [tuple(row[name] for name in (*KEY, *SEEN)) for row in live]


def read(dataset):
    """What a reader sees; no entity of a bucket is split over two frames."""
    found, finished = [], set()
    for frame in dataset.statements.reader.scan():
        ids = set(frame.select(s.SHARD, s.BUCKET, s.ENTITY_ID).unique().iter_rows())
        assert not ids & finished
        finished |= ids
        found += frame.select(*KEY, *SEEN).rows()
    return found


def append(dataset, rows, *, kind):
    """Rows as they come from us (an import: canonical and sorted) or from others (in any order, in several files)."""
    frame = pl.DataFrame(rows, schema=s.frame_schema(), orient="row")
    table = dataset.statements.table
    if not table.exists():
        table.create()
    if kind == "ours":
        with Staging(table.location) as staging:
            for part in frame.partition_by(s.BUCKET):
                staging.write(canonical_rows(part, keep_deleted=True))
            table.append(staging.finish())
        return
    properties = deltalake.WriterProperties(max_row_group_size=3) if "small" in kind else None
    for part in (frame[::2], frame[1::2]):
        if len(part):
            deltalake.write_deltalake(
                str(table.location.path), part.to_arrow(), mode="append", writer_properties=properties
            )


def compacted(dataset, *, force):
    """Compact, and see that no row changed, nor what is known to be canonical."""
    reader = dataset.statements.reader
    before, version = everything(dataset), dataset.content_version()
    canonical = {state.partition: state.canonical for state in reader.partitions()}
    dataset.compact(force=force)
    assert everything(dataset).equals(before)
    assert dataset.content_version() == version
    assert {state.partition: state.canonical for state in reader.partitions()} == canonical
    assert dataset.compact().partitions == []


def everything(dataset):
    """All rows as they lie there, in one order."""
    reader = dataset.statements.reader
    found = [rows for state in reader.partitions() for rows in reader.raw_rows(state.partition, s.COLUMNS)]
    return pl.concat([pl.DataFrame(schema=s.frame_schema()), *found]).sort(*s.COLUMNS)


def on_disk(dataset):
    folder = dataset.location.path / "statements"
    return {path.relative_to(folder).as_posix() for path in folder.glob("shard=*/**/*.parquet")}


def in_table(dataset):
    snapshot = dataset.statements.table.snapshot()
    return {file.key for file in snapshot.files} if snapshot else set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=6))
def test_reads_equal_the_slow_reference_after_every_step_and_maintenance_never_changes_them(
    tmp_path_factory, steps
):
    dataset = make_dataset(tmp_path_factory.mktemp("lake"))
    table = []
    for kind, content in steps:
        if kind == "merge":
            before = read(dataset)
            version = dataset.content_version()
            dataset.merge(force=content)
            assert read(dataset) == before
            assert dataset.content_version() == version
            assert dataset.status().dirty_partitions == []
            table = merged(table)
            held = sum(state.rows for state in dataset.statements.reader.partitions())
            assert held == len(table)
        elif kind == "compact":
            compacted(dataset, force=content)
        elif kind == "vacuum":
            dataset.vacuum(force=content)
            assert on_disk(dataset) == in_table(dataset)
        else:
            append(dataset, content, kind=kind)
            table += content
        assert read(dataset) == answer(table)
    wanted = {row[3] for row in answer(table)}
    for entity_id in "abcdef":
        rows_of_one = dataset.statements.reader.entities([entity_id])
        found = rows_of_one.select(*KEY, *SEEN).rows()
        assert found == [row for row in answer(table) if row[3] == entity_id]
        assert (entity_id in wanted) == bool(found)


def test_a_merge_drops_tombstones_only_after_the_grace_period(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_GRACE_PERIOD_DAYS", "3")
    dataset = make_dataset(tmp_path)
    base = {name: "x" for name in s.COLUMNS} | {
        s.SHARD: "0", s.BUCKET: "thing", s.EXTERNAL: False, s.FRAGMENT: "", s.ROLE: None,
        s.FIRST_SEEN: START, s.LAST_SEEN: START,
    }  # fmt: skip
    ages = {"young": 2.99, "old": 3.01}
    stones = [
        base | {s.ID: name, s.ENTITY_ID: name, s.DELETED_AT: datetime.now(UTC) - timedelta(days=age)}
        for name, age in ages.items()
    ]
    append(dataset, [*stones, base | {s.DELETED_AT: None}], kind="theirs")
    job = dataset.merge()
    assert (job.rows_before, job.rows_after) == (3, 2)
    kept = pl.concat(dataset.statements.reader.raw_rows(_only_partition(dataset), [s.ID, s.DELETED_AT]))
    assert sorted(kept[s.ID]) == ["x", "young"]
    assert dataset.merge().skipped
    monkeypatch.setenv("LAKEHOUSE_GRACE_PERIOD_DAYS", "0")
    assert dataset.lake.__class__(tmp_path).dataset("acme").merge().rows_after == 1


def test_the_first_seen_of_a_value_outlives_newer_emissions_of_its_fragment(tmp_path):
    dataset = make_dataset(tmp_path)
    base = {name: "x" for name in s.COLUMNS} | {
        s.SHARD: "0", s.BUCKET: "thing", s.EXTERNAL: False, s.FRAGMENT: "f", s.ROLE: None, s.DELETED_AT: None,
    }  # fmt: skip
    days = [START + timedelta(days=number) for number in range(3)]
    emissions = [("kept", days[0]), ("left out", days[0]), ("kept", days[1]), ("kept", days[2])]
    for name, day in emissions:
        append(dataset, [base | {s.ID: name, s.FIRST_SEEN: day, s.LAST_SEEN: day}], kind="theirs")
    for _ in range(2):
        [frame] = dataset.statements.reader.scan()
        assert frame.select(s.ID, s.FIRST_SEEN, s.LAST_SEEN).rows() == [("kept", days[0], days[2])]
        dataset.merge()


@pytest.mark.parametrize("kind", ["theirs", "theirs in small groups"])
def test_a_table_without_roles_is_read_merged_and_written(tmp_path, kind):
    dataset = make_dataset(tmp_path)
    base = {name: "x" for name in s.COLUMNS} | {
        s.SHARD: "0", s.BUCKET: "thing", s.EXTERNAL: False, s.FRAGMENT: "", s.DELETED_AT: None,
        s.FIRST_SEEN: START, s.LAST_SEEN: START,
    }  # fmt: skip
    frame = pl.DataFrame(
        [base | {s.ENTITY_ID: name, s.ID: f"{name}1"} for name in "cabbage"], schema=s.frame_schema()
    ).drop(s.ROLE)
    properties = deltalake.WriterProperties(max_row_group_size=2) if "small" in kind else None
    place = str(tmp_path / "acme/statements")
    for _ in range(2):
        deltalake.write_deltalake(
            place, frame.to_arrow(), mode="append", partition_by=s.PARTITION_BY, writer_properties=properties
        )
    wanted = [(name, None) for name in "abceg"]
    assert [
        row for rows in dataset.statements.reader.scan([s.ENTITY_ID, s.ROLE]) for row in rows.rows()
    ] == wanted
    assert dataset.merge().rows_after == 5
    assert [
        row for rows in dataset.statements.reader.scan([s.ENTITY_ID, s.ROLE]) for row in rows.rows()
    ] == wanted
    dataset.entities.add_many([{"id": "new", "schema": "Company", "properties": {}, "role": "r"}])
    found = [row for rows in dataset.statements.reader.scan([s.ENTITY_ID, s.ROLE]) for row in rows.rows()]
    assert found == [*wanted, ("new", "r")]


def test_a_file_of_one_large_row_group_is_sorted_in_runs_and_gives_the_same(tmp_path):
    dataset = make_dataset(tmp_path)
    base = {name: "x" for name in s.COLUMNS} | {
        s.SHARD: "0", s.BUCKET: "thing", s.EXTERNAL: False, s.FRAGMENT: "", s.DELETED_AT: None, s.ROLE: None,
        s.FIRST_SEEN: START, s.LAST_SEEN: START,
    }  # fmt: skip
    many = [base | {s.ENTITY_ID: f"e{number * 37 % 101:03}", s.ID: f"{number}"} for number in range(303)]
    append(dataset, many, kind="theirs")
    frames = list(dataset.statements.reader.scan([s.ENTITY_ID, s.ID]))
    assert len(frames) > 10
    wanted = sorted((row[s.ENTITY_ID], row[s.ID]) for row in many)
    assert [row for frame in frames for row in frame.rows()] == wanted
    dataset.merge()
    assert [
        row for frame in dataset.statements.reader.scan([s.ENTITY_ID, s.ID]) for row in frame.rows()
    ] == wanted


def _only_partition(dataset):
    [state] = dataset.statements.reader.partitions()
    return state.partition


def test_a_large_file_in_an_object_store_is_sorted_in_runs_too(tmp_path):
    folder = Location("memory://runs/statements")
    ids = [f"e{number * 37 % 101:03}" for number in range(101)]
    with folder.writer("part.parquet") as sink:
        pl.DataFrame({s.ENTITY_ID: ids, s.ID: ids}).write_parquet(sink)
    file = DataFile("part.parquet", Partition("0", "thing", "x"), len(ids), 0, None, None, 0)
    with ranges.open_parts(
        folder, [file], Footers(folder), temp_directory=str(tmp_path), run_rows=12
    ) as parts:
        assert len(parts) == 9
        found = [frame for wanted in ranges.plan(parts) for frame in [ranges.read(wanted, [s.ENTITY_ID])]]
    assert sorted(pl.concat(found)[s.ENTITY_ID]) == sorted(ids)
    assert list(tmp_path.iterdir()) == []
