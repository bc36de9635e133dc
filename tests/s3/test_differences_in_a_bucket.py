"""What changed, in a lake on S3."""

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Dataset
from tests.factories import company, entity
from tests.replay import EXPORTS, Replay, differences, exported
from tests.s3.store import Bucket

FILE = {"fileName": ["a.txt"], "contentHash": ["ab" * 32]}


@pytest.fixture
def acme(bucket: Bucket) -> Dataset:
    dataset = bucket.lake.create_dataset("acme")
    people = [company(f"c{number}", name=[f"Acme {number}"]) for number in range(20)]
    dataset.import_entities([*people, entity("d1", "Document", **FILE)], origin="crawl")
    for name in ("entities", "documents"):
        dataset.export(name)
    return dataset


def test_differences_on_top_of_the_first_export_are_the_last_one(acme: Dataset, bucket: Bucket) -> None:
    replays = [Replay(acme, key) for key in EXPORTS]
    first = replays[0].content.copy()
    for number, compression in ((1, None), (2, "zst")):
        acme.configure(compression=compression)
        changed = company(f"c{number}", name=["Another"])
        acme.import_entities([changed, entity(f"e{number}", "Document", **FILE)], origin="crawl")
        acme.delete([f"c{10 + number}"])
        for name in ("entities", "documents"):
            acme.export(name, update_index=False)
        assert [replay.catch_up() for replay in replays] == [3, 1, 1]
    for check in ("is_latest", "intact", "reconciles"):
        assert acme.check("entities_diff", check).passed
    assert acme.export("entities").skipped
    # both at once
    start = acme.differences.status("entities").states["entities"].since
    found = acme.differences.between(layout.parse_stamp(start))
    replays[0].content = first
    assert replays[0].apply(b"".join(found.blocks())) == found.counts.total() == 6
    assert replays[0].content == exported(acme, layout.ENTITIES)
    changes = acme.differences.statements(1)
    assert b"".join(changes.csv()).count(b"\n") == 1 + changes.counts.total()
    assert bucket.uploads() == []


def test_a_difference_that_waits_to_be_published_is_put_into_its_place(acme: Dataset) -> None:
    acme.import_entities([company("c1", name=["Another"])])
    acme.export("entities")
    state = acme.differences.status("entities").states["entities"]
    assert state.last is not None
    data = acme.location.read(state.last.path)
    # as a run leaves it that dies after the state, and before the file
    acme.location.write(layout.diff_draft(layout.DIFF_ENTITIES, state.at), data)
    acme.location.delete(state.last.path)
    assert not acme.check("entities_diff", "is_latest").passed
    assert acme.export("entities").diffs["entities"]["added"] == 0
    assert acme.location.read(state.last.path) == data
    assert differences(acme, layout.ENTITIES) == [state.last.path]
    assert acme.check("entities_diff", "is_latest").passed
