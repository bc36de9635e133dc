"""
A process that is killed (SIGKILL) at any moment: what it did is there or is not, and the next one goes on at once.

`LAKEHOUSE_CRASH_ROUNDS` says how often each kind of work is killed.
"""

import hashlib
import json
import os
import time

import pytest

from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.lake import Lake
from tests.crash.processes import files_on_disk, kill_somewhere, seconds_of
from tests.factories import company, entity, make_dataset, rows_of, write_lines

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("long_locks")]

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "6"))
SIZE = 600
PATIENCE = 15
"""Seconds that the work after a kill may take; the lock of a dead process would hold it up for 60."""


@pytest.fixture
def lake(tmp_path):
    """A lake with a made dataset of two buckets and two origins."""
    dataset = make_dataset(tmp_path / "lake")
    for origin in ("one", "two"):
        dataset.entities.add_many(batch("base"), origin=origin)
    dataset.make()
    return tmp_path / "lake"


def batch(name):
    """Many entities in two buckets."""
    half = [company(f"{name}-{number}", name=[f"{name} {number}"]) for number in range(SIZE)]
    return half + [entity(f"{name}-d{number}", "Document", title=[name]) for number in range(SIZE // 2)]


def ids_of(dataset):
    return set(rows_of(dataset)["entity_id"])


def again(work):
    """Do it, and see that no dead lock holds it up."""
    started = time.monotonic()
    found = work()
    assert time.monotonic() - started < PATIENCE
    return found


def tell(capsys, what, tried, finished):
    with capsys.disabled():
        print(f"\n{what}: killed {tried} times, {finished} of them too late")


def test_a_killed_import_is_there_as_a_whole_or_not_at_all(lake, tmp_path, capsys, chance):
    file = write_lines(tmp_path / "first.json", batch("first"))
    seconds, finished = seconds_of(lake, "import", file), 0
    for number in range(ROUNDS):
        before = rows_of(Lake(lake).dataset("acme"))
        lines = batch(f"round{number}")
        file = write_lines(tmp_path / f"{number}.json", lines)
        ended = kill_somewhere(lake, "import", file, seconds, chance)
        finished += ended
        dataset = Lake(lake).dataset("acme")
        after = ids_of(dataset) - set(before["entity_id"])
        assert after in (set(), {line["id"] for line in lines})
        assert after or not ended
        kept = rows_of(dataset).filter(
            rows_of(dataset)["entity_id"].is_in(before["entity_id"].unique().implode())
        )
        assert kept.equals(before)
        assert again(lambda dataset=dataset, file=file: dataset.import_files([file])).entities == len(lines)
        assert ids_of(dataset) == set(before["entity_id"]) | {line["id"] for line in lines}
    again(dataset.merge)
    again(dataset.make)
    assert all(result.passed for result in dataset.checks())
    tell(capsys, "import", ROUNDS, finished)


def test_a_killed_delete_took_all_or_nothing(lake, tmp_path, capsys, chance):
    dataset = Lake(lake).dataset("acme")
    dataset.import_files(
        [
            write_lines(
                tmp_path / "more.json", [line for name in range(ROUNDS + 1) for line in batch(f"r{name}")]
            )
        ]
    )
    file = tmp_path / "ids"
    file.write_text("\n".join(line["id"] for line in batch(f"r{ROUNDS}")))
    seconds, finished = seconds_of(lake, "delete", file), 0
    for number in range(ROUNDS):
        before = ids_of(dataset)
        wanted = {line["id"] for line in batch(f"r{number}")}
        file.write_text("\n".join(wanted))
        ended = kill_somewhere(lake, "delete", file, seconds, chance)
        finished += ended
        assert ids_of(dataset) in (before, before - wanted)
        again(lambda wanted=wanted: dataset.delete(wanted))
        assert ids_of(dataset) == before - wanted
    again(lambda: dataset.merge(force=True))
    assert ids_of(dataset) == {line["id"] for line in batch("base")}
    tell(capsys, "delete", ROUNDS, finished)


def test_a_killed_merge_changes_no_answer(lake, capsys, chance):
    dataset = Lake(lake).dataset("acme")
    seconds, finished = seconds_of(lake, "merge", "-"), 0
    for number in range(ROUNDS):
        dataset.entities.add_many(batch("base")[number::7], origin="one")
        before, version = rows_of(dataset), dataset.content_version()
        finished += kill_somewhere(lake, "merge", "-", seconds, chance)
        again = Lake(lake).dataset("acme")
        assert rows_of(again).equals(before)
        assert again.content_version() == version
        started = time.monotonic()
        again.merge()
        assert time.monotonic() - started < PATIENCE
        assert again.status().dirty_partitions == []
        assert rows_of(again).equals(before)
        assert again.holders() == []
    tell(capsys, "merge", ROUNDS, finished)


def test_a_killed_compaction_changes_no_answer_and_no_row(lake, capsys, chance):
    dataset = Lake(lake).dataset("acme")
    seconds, finished = seconds_of(lake, "compact", "-"), 0
    for number in range(ROUNDS):
        dataset.entities.add_many(batch("base")[number % 7 :: 7], origin="one")
        before, version, held = rows_of(dataset), dataset.content_version(), rows_held(dataset)
        finished += kill_somewhere(lake, "compact", "-", seconds, chance)
        opened = Lake(lake).dataset("acme")
        assert rows_of(opened).equals(before)
        assert (opened.content_version(), rows_held(opened)) == (version, held)
        again(opened.compact)
        assert rows_of(opened).equals(before)
        assert rows_held(opened) == held
        assert opened.holders() == []
    tell(capsys, "compact", ROUNDS, finished)


def test_a_killed_vacuum_deletes_nothing_that_is_needed_and_the_next_one_ends_it(lake, capsys, chance):
    dataset = Lake(lake).dataset("acme")
    leave_files(dataset)
    seconds, finished = seconds_of(lake, "vacuum", "-"), 0
    for _ in range(ROUNDS):
        leave_files(dataset)
        before = rows_of(dataset)
        finished += kill_somewhere(lake, "vacuum", "-", seconds, chance)
        opened = Lake(lake).dataset("acme")
        assert rows_of(opened).equals(before)
        again(opened.vacuum)
        assert files_on_disk(opened) == sum(state.files for state in opened.statements.reader.partitions())
        assert rows_of(opened).equals(before)
        assert opened.holders() == []
    tell(capsys, "vacuum", ROUNDS, finished)


def rows_held(dataset):
    """How many rows lie there, whether or not they count."""
    return sum(state.rows for state in dataset.statements.reader.partitions())


def leave_files(dataset):
    """Many files that a vacuum will delete."""
    for number in range(2):
        dataset.entities.add_many([company(f"small{number}")], origin="one")
        dataset.compact(force=True)
    dataset.merge(force=True)


@pytest.mark.parametrize("name", ["statements", "entities", "index"])
def test_a_killed_export_leaves_the_earlier_file_or_the_whole_new_one(lake, capsys, chance, name):
    dataset = Lake(lake).dataset("acme")
    seconds, finished = seconds_of(lake, "export", name), 0
    for number in range(max(ROUNDS // 2, 1)):
        earlier = digests(dataset)
        dataset.configure(title=f"Title {number}")
        dataset.entities.add_many([company(f"new{number}")], origin="one")
        finished += kill_somewhere(lake, "export", name, seconds, chance)
        again_opened = Lake(lake).dataset("acme")
        now = digests(again_opened)
        for key, digest in now.items():
            record = again_opened.records.get(key)
            # a record comes after its file: what it does not know yet is whole all the same, as the next lines show
            assert digest in (earlier[key], record.digest) or whole(again_opened, key)
        again(again_opened.make)
        assert all(result.passed for result in again_opened.checks())
        assert again_opened.make().skipped
        fresh = digests(again_opened)
        again(lambda again_opened=again_opened: again_opened.make(force=True))
        assert digests(again_opened) == fresh
    tell(capsys, f"export {name}", max(ROUNDS // 2, 1), finished)


def digests(dataset):
    return {
        export.target: hashlib.sha256(dataset.location.read(export.target)).hexdigest()
        for export in EXPORTS.values()
    }


def whole(dataset, key):
    """Whether a file that no record knows yet ends as such a file does, and holds all that there is."""
    data = dataset.location.read(key)
    assert data.endswith(b"\n")
    if key.endswith("index.json"):
        return bool(json.loads(data))
    wanted = len(ids_of(dataset)) if key.endswith("ftm.json") else len(rows_of(dataset)) + 1
    return data.count(b"\n") == wanted
