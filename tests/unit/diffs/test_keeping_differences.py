"""What is kept of the changes from one export to the next, and in which form."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets import layout
from lakehouse_assets.diffs.chain import Chain
from lakehouse_assets.diffs.kinds import ENTITIES
from lakehouse_assets.errors import Conflict, InvalidData, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.operations import ExportDocumentsJob, ExportEntitiesJob, ExportEntitiesOperation
from tests.factories import company, entity, make_dataset, person
from tests.replay import Replay, differences, exported, plain

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
FILE = {"fileName": ["a, b.txt"], "contentHash": ["ab" * 32], "fileSize": ["3"]}


@pytest.fixture
def acme(tmp_path):
    """A dataset with a company, two people and a file in a folder, exported once."""
    dataset = make_dataset(tmp_path / "lake")
    folder, file = entity("f1", "Folder", fileName=["sub"]), entity("d1", "Document", parent=["f1"], **FILE)
    people = [person("p1"), person("p2")]
    dataset.import_entities([company("c1"), *people, folder, file], last_seen=WHEN)
    dataset.make()
    return dataset


def lines(dataset, number=-1):
    """The lines of one difference of the entities."""
    path = differences(dataset, layout.ENTITIES)[number]
    return plain(dataset, path).decode().splitlines()


def test_the_first_export_leaves_a_state_and_no_difference(acme):
    assert differences(acme, layout.ENTITIES) == differences(acme, layout.DOCUMENTS) == []
    state = acme.differences.status("entities").states["entities"]
    assert state.since == state.version
    assert state.last is None
    assert not acme.location.exists(layout.DELTA_INDEX)
    assert b"delta.json" not in acme.location.read(layout.INDEX)


def test_an_initial_difference_adds_everything(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    dataset.import_entities([company("c1"), person("p1")])
    job = dataset.export("entities", initial_diff=True)
    assert job.diffs["entities"]["added"] == 2
    assert [json.loads(line)["op"] for line in lines(dataset)] == ["ADD", "ADD"]
    assert dataset.differences.versions()[0].previous is None
    assert not dataset.export("entities", force=True, initial_diff=True).diffs["entities"]["added"]


def test_a_difference_is_told_line_by_line_as_ftm_lakehouse_does(acme):
    acme.import_entities([company("c1", name=['Acme\n"Inc"']), company("c0")], last_seen=WHEN, replace=True)
    acme.delete(["p1"])
    job = acme.export("entities")
    entities = {json.loads(line)["id"]: line for line in plain(acme, layout.ENTITIES).decode().splitlines()}
    assert lines(acme) == [
        f'{{"op":"ADD","entity":{entities["c0"]}}}',
        f'{{"op":"MOD","entity":{entities["c1"]}}}',
        '{"op":"DEL","entity":{"id":"d1"}}',
        '{"op":"DEL","entity":{"id":"f1"}}',
        '{"op":"DEL","entity":{"id":"p1"}}',
        '{"op":"DEL","entity":{"id":"p2"}}',
    ]
    [path] = differences(acme, layout.ENTITIES)
    assert path == layout.diff(layout.DIFF_ENTITIES, acme.records.get(layout.ENTITIES).written_at)
    changed = job.diffs["entities"]
    assert (changed["added"], changed["modified"], changed["deleted"], changed["path"]) == (1, 1, 4, path)
    assert changed["digest"] == hashlib.sha256(acme.location.read(path)).hexdigest()
    assert changed["bytes"] == acme.location.size(path)


def test_documents_are_named_by_id_and_folder(acme):
    folders = [entity("f2", "Folder", fileName=['o"ther']), entity("d1", "Document", parent=["f2"])]
    acme.import_entities([*folders, entity("d2", "Document", **FILE)], origin="crawl", last_seen=WHEN)
    acme.export("documents")
    [path] = differences(acme, layout.DOCUMENTS)
    line = f'd1,{"ab" * 32},"a, b.txt",text/plain,"o""ther",3,2026-01-01T00:00:00.000000Z,'
    assert plain(acme, path).decode().split("\r\n")[:2] == [
        "op,id,checksum,name,mimetype,path,size,updated_at,public_url",
        f"ADD,{line}",
    ]
    acme.import_entities([entity("d1", "Document", parent=["f2"], **FILE)], last_seen=WHEN, replace=True)
    acme.export("documents")
    _, path = differences(acme, layout.DOCUMENTS)
    assert plain(acme, path).decode().split("\r\n")[1:] == ["DEL,d1,,,,sub,,,", ""]
    # of the crawled files there is a list of their own
    assert len(differences(acme, layout.DOCUMENTS_CRAWL)) == 1


def test_other_times_are_no_change_and_leave_no_file(acme):
    before = acme.differences.status("entities").states["entities"]
    acme.import_entities([company("c1"), person("p1")], last_seen=WHEN + timedelta(days=1))
    job = acme.export("entities")
    assert job.diffs["entities"] == {
        "version": layout.stamp(acme.records.get(layout.ENTITIES).written_at),
        "added": 0,
        "modified": 0,
        "deleted": 0,
    }
    assert differences(acme, layout.ENTITIES) == []
    after = acme.differences.status("entities").states["entities"]
    assert after.version > before.version
    assert after.since == before.since


def test_tags_tell_ftm_lakehouse_when_and_of_which_version(acme):
    for _ in range(2):
        made = acme.records.get(layout.ENTITIES)
        version = acme.content_version().rpartition(":")[2]
        assert acme.location.read(layout.tag(layout.current_tag(layout.DIFF_ENTITIES))).decode() == (
            f"{layout.stamp(made.written_at)}:{version}"
        )
        assert acme.tags.get(layout.DIFF_ENTITIES) == made.written_at
        acme.import_entities([company("c2")])
        acme.export("entities")


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_differences_of_entities_follow_the_compression(acme, compression):
    replay = Replay(acme, layout.ENTITIES)
    acme.configure(compression=compression)
    acme.import_entities([company("c1", name=["Another"])], last_seen=WHEN)
    acme.make()
    # the other form alone is no change
    assert replay.catch_up() == 1
    assert differences(acme, layout.ENTITIES)[0].endswith(f".delta.json.{compression}")
    assert acme.differences.versions()[0].path.endswith(compression)
    assert [version.kind for version in acme.differences.versions()] == ["entities"]


def test_delta_json_lists_every_difference_the_newest_first(acme):
    acme.configure(public_url_prefix="https://data.example.org/acme")
    for number in (1, 2):
        acme.import_entities([company(f"new{number}"), entity(f"new-d{number}", "Document", **FILE)])
        acme.make()
    found = json.loads(acme.location.read(layout.DELTA_INDEX))
    assert found["name"] == "acme"
    assert [version["kind"] for version in found["versions"]] == [
        "documents",
        "entities",
        # another address is another line in the list of files
        "documents",
        "entities",
    ]
    times = [version["version"] for version in found["versions"]]
    assert times == sorted(times, reverse=True)
    for version in found["versions"]:
        data = acme.location.read(version["path"])
        assert version["url"] == f"https://data.example.org/acme/{version['path']}"
        assert (version["size"], version["checksum"]) == (len(data), hashlib.sha256(data).hexdigest())
    newest, first = found["versions"][1], found["versions"][3]
    assert newest["previous"] == first["version"]
    assert first["previous"] == found["since"]["entities"]
    assert (newest["added"], newest["modified"], newest["deleted"]) == (2, 0, 0)


def test_another_public_address_is_in_the_list_when_the_index_is(acme):
    acme.import_entities([company("c2")])
    acme.make()
    assert "url" not in json.loads(acme.location.read(layout.DELTA_INDEX))["versions"][0]
    acme.configure(public_url_prefix="https://data.example.org/acme")
    acme.export("index")
    version = json.loads(acme.location.read(layout.DELTA_INDEX))["versions"][0]
    assert version["url"] == f"https://data.example.org/acme/{version['path']}"
    assert acme.check("index_json", "intact").passed


def resources(dataset):
    return [resource["name"] for resource in json.loads(dataset.location.read(layout.INDEX))["resources"]]


def test_the_index_names_the_list_only_while_it_leads_to_what_is_there(acme):
    assert "delta.json" not in resources(acme)
    acme.import_entities([company("c2")])
    acme.make()
    assert resources(acme)[-1] == "delta.json"
    assert acme.make().skipped
    acme.import_entities([company("c3")])
    acme.export("entities", make_diff=False)
    assert "delta.json" not in resources(acme)
    assert acme.check("index_json", "intact").passed
    acme.export("entities")
    assert resources(acme)[-1] == "delta.json"


def test_a_difference_that_somebody_deleted_is_listed_no_more(acme):
    acme.import_entities([company("c2")])
    acme.make()
    [path] = differences(acme, layout.ENTITIES)
    acme.location.delete(path)
    wrong = acme.check("entities_diff", "intact")
    assert not wrong.passed
    assert [row["reason"] for row in wrong.table] == ["it is gone"]
    acme.export("index", force=True)
    assert acme.differences.versions() == []
    assert acme.check("entities_diff", "intact").passed
    assert "delta.json" not in resources(acme)


def test_checks_see_what_is_stale_damaged_or_counted_otherwise(acme):
    acme.import_entities([company("c2")])
    acme.make()
    for check in ("is_latest", "intact", "reconciles"):
        assert acme.check("entities_diff", check).passed
        assert acme.check("documents_diff", check).passed
    acme.import_entities([company("c3")])
    acme.export("entities", make_diff=False)
    stale = acme.check("entities_diff", "is_latest")
    assert not stale.passed
    assert stale.metadata["why"] == "entities.ftm.json changed since it was compared"
    assert stale.table[0]["changed"] == "yes"
    acme.make()
    [_, path] = differences(acme, layout.ENTITIES)
    data = acme.location.read(path)
    acme.location.write(path, data.replace(b"c3", b"x3"))
    assert not acme.check("entities_diff", "intact").passed
    acme.location.write(path, data + data)
    found = acme.check("entities_diff", "reconciles")
    assert not found.passed
    assert {"what": f"ADD in {path}", "told": 1, "counted": 2} in found.table


def test_without_the_digests_of_the_last_export_differences_start_anew(acme, caplog):
    acme.import_entities([company("c2")])
    acme.make()
    acme.location.delete_tree(layout.DIFF_WORK)
    # as long as the export is the same, its digests are made again, and nothing is lost
    replay = Replay(acme, layout.ENTITIES)
    assert acme.check("entities_diff", "is_latest").metadata["why"].endswith("are gone")
    acme.make()
    acme.import_entities([company("c3")])
    acme.make()
    assert replay.catch_up() == 1
    acme.location.delete_tree(layout.DIFF_WORK)
    acme.import_entities([company("c4")])
    acme.make()
    assert "differences start anew" in caplog.text
    assert len(differences(acme, layout.ENTITIES)) == 2
    start = acme.differences.status("entities").states["entities"].since
    assert start > acme.differences.versions()[0].version
    with pytest.raises(NotFound, match="differences are kept since"):
        acme.differences.between(WHEN)
    acme.import_entities([company("c5")])
    acme.make()
    found = acme.differences.between(layout.parse_stamp(start))
    assert b'"c5"' in b"".join(found.blocks())
    assert found.counts == {"ADD": 1}


def test_what_another_program_told_meanwhile_is_gone_on_from(acme):
    replay = Replay(acme, layout.ENTITIES)
    theirs = layout.diff(layout.DIFF_ENTITIES, datetime.now(UTC))
    foreign = [
        {"id": name, "schema": "Person", "properties": {}, "datasets": ["acme"]} for name in ("p1", "x")
    ]
    told = [{"op": "ADD", "entity": found} for found in foreign] + [{"op": "DEL", "entity": {"id": "p2"}}]
    acme.location.write(theirs, "".join(json.dumps(line) + "\n" for line in told).encode())
    acme.tags.set_text(layout.current_tag(layout.DIFF_ENTITIES), f"{layout.stamp(datetime.now(UTC))}:9")
    acme.import_entities([company("c2")])
    acme.export("entities")
    mine = {json.loads(line)["entity"]["id"]: json.loads(line)["op"] for line in lines(acme)}
    assert mine == {"c2": "ADD", "p1": "MOD", "p2": "ADD", "x": "DEL"}
    listed = acme.differences.versions()[1]
    assert (listed.path, listed.added, listed.deleted, listed.previous) == (theirs, 2, 1, None)
    # whoever applied theirs has what is there after ours
    replay.applied.append(theirs)
    replay.content |= {found["id"]: found for found in foreign}
    del replay.content["p2"]
    replay.catch_up()
    assert acme.tags.text(layout.current_tag(layout.DIFF_ENTITIES)).startswith(
        layout.stamp(acme.records.get(layout.ENTITIES).written_at)
    )


def test_the_file_of_another_program_is_left_to_its_own_differences(acme):
    state = acme.differences.status("entities").states["entities"]
    acme.location.write(layout.ENTITIES, b"")
    acme.records.delete(layout.ENTITIES)
    acme.tags.set(layout.ENTITIES, datetime.now(UTC) + timedelta(seconds=1))
    status = acme.differences.status("entities")
    assert (status.fresh, status.states["entities"]) == (True, state)
    assert "another program made entities.ftm.json" in status.why
    assert acme.differences.make("entities").skipped


def test_of_two_that_compare_the_same_only_one_counts(acme):
    acme.import_entities([company("c2")])
    acme.export("entities", defer_diff=True)
    made = acme.records.get(layout.ENTITIES)
    view = acme.repositories.view()

    def overtaken():
        Chain(view, ENTITIES).advance(made, check=lambda: None)

    with pytest.raises(Conflict, match=r"compared entities\.ftm\.json meanwhile; nothing is lost"):
        Chain(view, ENTITIES).advance(made, check=overtaken)
    assert len(differences(acme, layout.ENTITIES)) == 1
    assert acme.differences.make("entities").skipped


def test_whoever_lost_the_lease_leaves_no_difference(acme):
    acme.import_entities([company("c2")])
    acme.export("entities", defer_diff=True)
    made = acme.records.get(layout.ENTITIES)

    def lost():
        raise Conflict("lost")

    with pytest.raises(Conflict, match="lost"):
        Chain(acme.repositories.view(), ENTITIES).advance(made, check=lost)
    assert differences(acme, layout.ENTITIES) == []
    assert acme.differences.make("entities").diffs["entities"]["added"] == 1


def test_an_export_that_is_replaced_while_it_is_compared_is_noticed(acme):
    acme.import_entities([company("c2")])
    acme.export("entities", defer_diff=True)
    data = acme.location.read(layout.ENTITIES)
    acme.location.write(layout.ENTITIES, b" " + data[:-1])
    with pytest.raises(Conflict, match=r"another program replaced entities\.ftm\.json"):
        acme.differences.make("entities")
    assert differences(acme, layout.ENTITIES) == []
    acme.export("entities", force=True)
    assert len(lines(acme)) == 1


def test_exports_beside_each_other_and_imports_lose_and_double_nothing(tmp_path, acme):
    replay = Replay(acme, layout.ENTITIES)
    failures = []

    def work(number):
        dataset = Lake(tmp_path / "lake").dataset("acme")
        for turn in range(4):
            dataset.import_entities(
                [company(f"n{number}-{turn}"), company("shared", name=[f"{number}-{turn}"])]
            )
            try:
                dataset.export("entities", update_index=False)
            except Conflict as exc:
                failures.append(exc)

    threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    acme.export("entities")
    replay.catch_up()
    assert len(exported(acme, layout.ENTITIES)) == 5 + 12 + 1


def test_a_later_version_never_has_an_earlier_name(acme, monkeypatch):
    """The clock of another machine may be behind."""
    acme.import_entities([company("c2")])
    acme.export("entities")
    made = acme.records.get(layout.ENTITIES)
    monkeypatch.setattr(
        "lakehouse_assets.operations.exports.now_utc", lambda: made.written_at - timedelta(hours=1)
    )
    acme.import_entities([company("c3")])
    acme.export("entities")
    assert [len(lines(acme, number)) for number in (0, 1)] == [1, 1]
    assert b'"c3"' in acme.location.read(differences(acme, layout.ENTITIES)[-1])


def test_jobs_have_the_fields_that_scripts_know():
    assert ExportEntitiesJob.make(dataset="acme").make_diff is True
    assert ExportDocumentsJob.make(dataset="acme", make_diff=False).make_diff is False


def test_an_operation_without_differences_leaves_nothing_of_them(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    dataset.import_entities([company()])
    job = ExportEntitiesJob.make(dataset="acme", make_diff=False)
    assert ExportEntitiesOperation.from_job(job, dataset).run().diffs == {}
    assert list(dataset.location.keys("diffs")) == []
    assert not dataset.tags.exists(layout.current_tag(layout.DIFF_ENTITIES))


def test_times_that_go_backwards_are_refused(acme):
    acme.import_entities([company("c2")])
    acme.make()
    first, last = acme.differences.status("entities").states["entities"].since, datetime.now(UTC)
    with pytest.raises(InvalidData, match="swap the two times"):
        acme.differences.between(last, layout.parse_stamp(first))
    assert b"".join(acme.differences.between(last).blocks()) == b""


def test_before_anything_was_compared_there_is_nothing_to_ask(tmp_path):
    dataset = make_dataset(tmp_path / "lake")
    with pytest.raises(NotFound, match="lakehouse export -d acme entities"):
        dataset.differences.between()
    with pytest.raises(NotFound, match="lakehouse import -d acme FILE"):
        dataset.differences.statements()
