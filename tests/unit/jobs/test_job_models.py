"""Jobs as models: what they refuse, and that what they hold arrives as it was."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from followthemoney import model
from followthemoney.exc import InvalidData as UnknownSchema
from pydantic import ValidationError

from lakehouse_assets.errors import InvalidData, NotJson
from lakehouse_assets.jobs import DatasetJob, Job, JobStatus, MemoryQueue, unpack
from tests.factories import company, entity, person


def job(**fields):
    return Job(**{"queue": "q", "task": "t", **fields})


def dataset_job(entities, **fields):
    return DatasetJob(
        **{"queue": "q", "task": "t", "dataset": "d", "payload": {"entities": entities}, **fields}
    )


@pytest.mark.parametrize("fields", [{"task": "t"}, {"queue": "", "task": "t"}, {"queue": None, "task": "t"}])
def test_a_job_names_its_queue(fields):
    with pytest.raises(ValidationError, match="queue"):
        Job(**fields)


def test_payloads_are_objects_and_not_shared():
    first, second = job(), job()
    first.payload["a"] = 1
    assert second.payload == {}
    for payload in ([], None, "x"):
        with pytest.raises(ValidationError, match="payload"):
            job(payload=payload)


@pytest.mark.parametrize("fields", [{}, {"dataset": ""}])
def test_a_job_of_a_dataset_names_it(fields):
    with pytest.raises(ValidationError, match="dataset"):
        DatasetJob(queue="q", task="t", **fields)


def test_unknown_fields_and_wrong_types_are_refused_also_later():
    with pytest.raises(ValidationError, match="colour"):
        job(colour="red")
    made = job()
    with pytest.raises(ValidationError, match="queue"):
        made.queue = 5
    with pytest.raises(ValidationError, match="max_retries"):
        made.max_retries = -2


@pytest.mark.parametrize(
    ("payload", "context"),
    [({"context": {"a": 1}}, {"a": 1}), ({"context": None}, {}), ({"context": "x"}, {}), ({}, {})],
)
def test_the_context_is_a_dict_whatever_the_payload_holds(payload, context):
    assert job(payload=payload).context == context


def test_jobs_of_entities_take_a_generator_a_batch_and_a_context():
    made = DatasetJob.from_entities("d", "q", "t", (company(f"c{n}") for n in range(2)), batch="b", foo=1)
    assert (made.batch, made.payload["context"]) == ("b", {"foo": 1})
    assert [entity.id for entity in made.get_entities()] == ["c0", "c1"]
    assert "context" not in DatasetJob.from_entities("d", "q", "t", []).payload


def test_a_job_of_one_entity_is_a_job_of_a_list_of_it():
    given = model.get_proxy(company("c1"))
    one = DatasetJob.from_entity("d", "q", "t", given, foo=1)
    assert one == DatasetJob.from_entities("d", "q", "t", [given], foo=1)
    assert isinstance(one.payload["entities"], list)


def test_dehydrated_entities_lead_to_their_files_and_tell_no_more():
    data = entity(
        "d1",
        "Document",
        fileName=["a.txt"],
        contentHash=["a" * 64],
        parent=["f1"],
        bodyText=["secret"],
        title=["A"],
    )
    (sent,) = DatasetJob.from_entity("d", "q", "t", data, dehydrate=True).payload["entities"]
    assert sent == {
        "id": "d1",
        "schema": "Document",
        "caption": "a.txt",
        "properties": {"fileName": ["a.txt"], "contentHash": ["a" * 64], "parent": ["f1"]},
    }
    (whole,) = DatasetJob.from_entity("d", "q", "t", model.get_proxy(data)).payload["entities"]
    assert whole["properties"]["bodyText"] == ["secret"]


@pytest.mark.parametrize("dehydrate", [True, False])
def test_an_entity_without_an_id_is_refused(dehydrate):
    for given in (company(None), model.make_entity("Company")):
        with pytest.raises(ValueError, match="no id"):
            DatasetJob.from_entity("d", "q", "t", given, dehydrate)


def test_entities_come_back_as_they_were_sent():
    sent = [model.get_proxy(company("c1", name=["A", "B"])), model.get_proxy(person("p1"))]
    made = unpack(DatasetJob.from_entities("d", "q", "t", sent).to_line())
    assert [found.to_dict() for found in made.get_entities()] == [one.to_dict() for one in sent]


def test_payloads_without_entities_or_with_unknown_ones_are_told():
    without = DatasetJob(queue="q", task="t", dataset="d").get_entities()
    with pytest.raises(ValueError, match="entities"):
        next(without)
    assert list(dataset_job([]).get_entities()) == []
    with pytest.raises(UnknownSchema):
        next(dataset_job([{"id": "x", "schema": "Nothing"}]).get_entities())


def test_any_json_arrives_unchanged():
    payload = {
        "a": 0,
        "b": False,
        "c": "",
        "d": None,
        "e": [],
        "f": {},
        "g": {"env": "HOME"},
        "h": 1.5,
        "i": "ü\u2028",
    }
    made = job(payload=payload, priority=0, scheduled_at=datetime(2026, 11, 22, tzinfo=UTC), max_retries=0)
    back = unpack(made.to_line())
    assert json.dumps(back.payload) == json.dumps(payload)
    assert back == made
    assert unpack(made.model_dump_json()) == made
    assert made.to_line().count(b"\n") == 1


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), {1: 2}, "\ud800", b"x", JobStatus.todo])
def test_what_json_cannot_hold_is_refused_when_deferred_and_nothing_is_queued(dataset, value):
    queue = MemoryQueue(dataset.lake)
    with pytest.raises(NotJson, match="x"):
        queue.defer([job(), job(payload={"deep": [{"x": value}]})])
    assert queue.waiting("q") == []


def test_a_payload_that_holds_itself_is_refused(dataset):
    payload = {}
    payload["self"] = payload
    made = job()
    made.payload["x"] = payload
    with pytest.raises(NotJson, match="itself"):
        MemoryQueue(dataset.lake).defer(made)


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": {"a": ["\0"]}},
        {"payload": {"a\0": 1}},
        {"queue": "q\0"},
        {"task": "t" * 129},
        {"queue": "q" * 129},
    ],
)
def test_nuls_and_long_names_are_refused_at_once(fields):
    with pytest.raises(ValidationError):
        job(**fields)


def test_a_job_with_a_dataset_is_unpacked_as_one():
    assert type(unpack({"queue": "q", "task": "t", "dataset": "d"})) is DatasetJob
    assert type(unpack('{"queue": "q", "task": "t"}')) is Job
    for wrong in ({"queue": "q"}, {"queue": "q", "task": "t", "dataset": ""}, "[]", b"null"):
        with pytest.raises(ValidationError):
            unpack(wrong)


def test_the_id_is_that_of_the_content():
    first = job(payload={"a": 1, "b": 2})
    assert first.id == job(payload={"b": 2, "a": 1}, priority=3, attempts=2).id
    others = [job(), job(task="u"), job(queue="r"), job(dedupe_key="k"), dataset_job([])]
    assert len({first.id, *(other.id for other in others)}) == 6
    assert "id" not in json.loads(first.to_line())
    # lines of others may have it
    read = unpack(first.model_dump_json())
    assert read.id == unpack(first.to_line()).id == first.id
    read.payload["a"] = 3
    assert read.id == job(payload={"a": 3, "b": 2}).id


def test_an_id_of_its_own_stays():
    first, second = job().duplicate(), job().duplicate()
    assert first.id < second.id
    assert unpack(first.to_line()).id == first.id
    assert job(id="mine").id == "mine"


def test_times_without_an_offset_are_utc():
    assert job(scheduled_at="2026-11-22T10:00:00").scheduled_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    elsewhere = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=2)))
    assert job(scheduled_at=elsewhere).scheduled_at.hour == 8


def test_a_large_payload_is_not_shown_whole():
    assert len(repr(job(payload={"text": "x" * 10_000}))) < 500


def test_names_of_wrong_types_are_told_as_invalid():
    with pytest.raises(InvalidData, match="no id"):
        DatasetJob.from_entity("d", "q", "t", {"schema": "Company"})
    with pytest.raises(ValidationError, match="batch"):
        DatasetJob.from_entities("d", "q", "t", [], batch=5)
