"""Deleting the files that nobody needs."""

import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.statements import reader as reading
from lakehouse_assets.statements import stage
from tests.factories import company, make_dataset, rows_of

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def acme(tmp_path):
    """A dataset whose table was merged: two files of the past, one of now."""
    dataset = make_dataset(tmp_path)
    for number in range(2):
        dataset.entities.add_many(company(f"c{id}", name=[f"Name {number}"]) for id in range(50))
    dataset.merge()
    return dataset


def data_files(dataset):
    return sorted(dataset.location.path.glob("statements/shard=*/**/*.parquet"))


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def checkpoint(dataset):
    DeltaTable(str(dataset.statements.table.location.path)).create_checkpoint()


def left_over(dataset, seconds):
    """A data file that no commit knows."""
    path = data_files(dataset)[0].with_name("part-00000-left-over.zstd.parquet")
    path.write_bytes(b"half of a")
    age(path, seconds)
    return path


def test_what_a_merge_replaced_is_deleted(acme):
    before, version = rows_of(acme), acme.content_version()
    sizes = {path: path.stat().st_size for path in data_files(acme)}
    job = acme.vacuum()
    [kept] = data_files(acme)
    assert job.files == 2
    assert job.bytes == sum(sizes.values()) - sizes[kept]
    assert rows_of(acme).equals(before)
    assert acme.content_version() == version
    assert acme.vacuum().skipped
    assert acme.vacuum(force=True).files == 0


def test_a_dry_run_counts_and_deletes_nothing(acme):
    job = acme.vacuum(dry_run=True)
    assert job.files == 2
    assert job.bytes > 0
    assert len(data_files(acme)) == 3
    assert acme.tags.get(layout.TAG_STATEMENTS_VACUUMED) is None


def test_files_stay_for_the_hours_of_retention(acme):
    assert acme.vacuum(retention_hours=1).files == 0
    assert len(data_files(acme)) == 3
    # the tag is new, and all the same there is something to delete
    assert acme.vacuum().files == 2


def test_the_version_that_a_long_read_holds_stays_whole(acme, monkeypatch):
    monkeypatch.setattr(reading, "RANGE_ROWS", 10)
    before = rows_of(acme)
    with acme.statements.reader.held() as held:
        acme.entities.add_many([company("new")])
        acme.merge()
        newer = {file.key for file in acme.statements.table.snapshot().files}
        acme.entities.add_many([company("newer")])
        acme.merge()
        acme.vacuum()
        present = set(acme.location.path.glob("statements/shard=*/**/*.parquet"))
        at = acme.statements.table.location.path
        assert {at / file.key for file in held.files} <= present
        assert not {at / key for key in newer} & present
    assert acme.vacuum().files == 1
    assert len(rows_of(acme)) > len(before)


def test_a_long_read_goes_on_beside_merges_and_vacuums(acme, monkeypatch):
    monkeypatch.setattr(reading, "RANGE_ROWS", 10)
    monkeypatch.setattr(reading.plan, "__defaults__", (10,))
    monkeypatch.setattr(stage, "ROW_GROUP", 10)
    acme.merge(force=True)
    wanted = rows_of(acme)
    scan = acme.statements.reader.scan()
    found = [next(scan)]
    for number in range(3):
        acme.entities.add_many([company(f"new{number}")])
        acme.merge()
        acme.vacuum()
    found += list(scan)
    assert len(found) > 5
    assert sum(len(frame) for frame in found) == len(wanted)
    assert acme.leases.marks(layout.READERS) == []


def test_the_mark_of_a_dead_reader_expires(acme):
    mark = acme.leases.mark(layout.READERS, {"table": "x", "version": "1"})
    with mark as lease:
        key = f"{layout.READERS}/{lease.holder.token}.json"
        held = acme.location.read(key)
        version = acme.statements.table.snapshot().version - 1
        table = acme.statements.table.snapshot().table_id
    dead = held.replace(b'"x"', f'"{table}"'.encode()).replace(b'"1"', f'"{version}"'.encode())
    acme.location.write(key, dead)
    assert acme.vacuum(dry_run=True).files == 0
    acme.location.write(key, dead.replace(str(now_utc().year).encode(), b"2001"))
    assert acme.vacuum(dry_run=True).files == 2
    assert not acme.location.exists(key)


def test_a_version_whose_log_is_gone_keeps_everything(acme):
    table = acme.statements.table.snapshot()
    checkpoint(acme)
    for path in acme.location.path.glob("statements/_delta_log/0000000000000000000[01].json"):
        path.unlink()
    with acme.leases.mark(layout.READERS, {"table": table.table_id, "version": "1"}):
        assert acme.vacuum(force=True).files == 0
    assert len(data_files(acme)) == 3


def test_files_that_no_commit_knows_go_when_they_are_a_day_old(acme):
    path = left_over(acme, DAY - 60)
    acme.vacuum()
    assert path.exists()
    age(path, DAY + 60)
    assert acme.vacuum(retention_hours=30).files == 0
    assert acme.vacuum().files == 1
    assert not path.exists()


def test_files_that_somebody_may_still_commit_stay(acme):
    acme.vacuum()
    with acme.leases.mark(layout.STAGING, {"table": "statements"}) as lease:
        key = f"{layout.STAGING}/{lease.holder.token}.json"
        long_ago = lease.holder.taken.replace(str(now_utc().year), str(now_utc().year - 1))
        acme.location.write(
            key, acme.location.read(key).replace(lease.holder.taken.encode(), long_ago.encode())
        )
        path = left_over(acme, 2 * DAY)
        assert acme.vacuum().files == 0
        assert path.exists()
    assert acme.vacuum().files == 1


def test_what_checkpoints_forgot_stays_for_its_hours_of_retention(acme):
    """Delta's checkpoints know files for a week after their removal, and a file itself may be much older."""
    for path in data_files(acme):
        age(path, 40 * DAY)
    log = sorted(acme.location.path.glob("statements/_delta_log/*.json"))[-1]
    ago = int((time.time() - 10 * DAY) * 1000)
    log.write_text(re.sub(r'"deletionTimestamp":\d+', f'"deletionTimestamp":{ago}', log.read_text()))
    checkpoint(acme)
    assert acme.vacuum(retention_hours=30 * 24).files == 0
    assert acme.vacuum(retention_hours=9 * 24).files == 2


def test_other_files_in_the_tables_folder_are_left_alone(acme):
    foreign = acme.location.path / "statements/_notes/mine.parquet"
    foreign.parent.mkdir()
    foreign.write_bytes(b"x")
    age(foreign, 9 * DAY)
    (acme.location.path / "statements/README.md").write_text("x")
    acme.vacuum()
    assert foreign.exists()
    assert (acme.location.path / "statements/README.md").exists()


def test_temp_files_of_dead_writers_are_swept(acme):
    temp = acme.location.path / "exports"
    temp.mkdir(exist_ok=True)
    with acme.location.writer("exports/x"):
        [path] = [path for path in temp.iterdir() if path.name != "x"]
        name = path.name
    (temp / name).write_bytes(b"half")
    age(temp / name, 2 * DAY)
    assert acme.vacuum().swept == 1
    assert not (temp / name).exists()


def test_a_read_without_the_right_to_leave_a_mark_reads_all_the_same(acme, monkeypatch):
    monkeypatch.setattr(reading, "RANGE_ROWS", 10)
    before = rows_of(acme)
    folder = acme.location.path / layout.READERS
    for path in folder.glob("*"):
        path.unlink()
    folder.rmdir()
    folder.write_text("no folder")
    assert rows_of(acme).equals(before)


def test_a_short_read_whose_file_vanished_starts_again_once(acme):
    reader = acme.statements.reader
    before = rows_of(acme)
    old = acme.statements.table.snapshot()
    acme.merge(force=True)
    acme.vacuum()
    real, given = acme.statements.table.snapshot, []

    def stale_once():
        given.append(1)
        return old if len(given) == 1 else real()

    acme.statements.table.snapshot = stale_once
    assert rows_of(acme).equals(before)
    given.clear()
    assert len(reader.entities(["c1"])) == len(before.filter(before["entity_id"] == "c1"))
    acme.statements.table.snapshot = lambda: old
    with pytest.raises(NotFound, match="vacuumed the table while it was read; try again"):
        rows_of(acme)
