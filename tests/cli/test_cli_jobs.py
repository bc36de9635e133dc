"""`lakehouse jobs`."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from lakehouse_assets.jobs import stages
from tests.cli.calling import Lakehouse

STAGES = """
from lakehouse_assets.jobs import DatasetJob, stage


@stage("upper", queue="words")
def upper(job):
    with job.get_writer() as writer:
        for entity in job.load_entities():
            writer.put({"id": entity.id, "schema": "Person", "properties": {"alias": [entity.caption.upper()]}})
    return DatasetJob.from_entities(job.dataset, job.queue, "check", job.get_entities())


@stage("check", max_retries=0)
def check(job):
    for entity in job.load_entities():
        print(entity.id, "is next")
        if entity.id == "p2":
            raise ValueError("not him")
"""


@pytest.fixture
def words(acme: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """The command beside a lake, with a module of stages in the folder."""
    name = f"stages_of_{folder.name}"
    (folder / f"{name}.py").write_text(STAGES)
    monkeypatch.setattr(stages, "_stages", {})
    monkeypatch.setenv("LAKEHOUSE_STAGES", name)
    return acme


def lines(jobs: Iterable[object]) -> bytes:
    return b"".join(json.dumps(job).encode() + b"\n" for job in jobs)


def upper(entity_id: str) -> dict[str, object]:
    return {"task": "upper", "payload": {"entities": [{"id": entity_id, "schema": "Person"}]}}


def test_jobs_are_queued_and_worked_and_what_failed_is_told(words: Lakehouse) -> None:
    told = words("jobs", "defer", "-d", "acme", "-", stdin=lines([upper("p1"), upper("p2")]))
    assert told.out.startswith("queued 2 jobs in ")
    assert words("jobs", "status").out.splitlines()[1].split()[:5] == ["words", "upper", "acme", "2", "0"]
    worked = words("jobs", "work", "words", "--json")
    assert worked.code == 3
    counted = worked.json
    assert (counted["jobs"], counted["succeeded"], counted["dead"], counted["waiting"]) == (4, 3, 1, 0)
    assert counted["statements"] == {"acme": 4}
    assert words("get", "-d", "acme", "p1").lines[0]["properties"]["alias"] == ["JANE DOE"]
    shown = words("jobs", "dead").out.splitlines()
    assert shown[1].split()[1:5] == ["words", "check", "acme", "1"]
    assert "ValueError: not him" in words("jobs", "dead", "--traceback").out
    (letter,) = words("jobs", "dead", "--json").json["dead"]
    assert json.loads(letter["job"])["payload"] == {
        "entities": [{"id": "p2", "schema": "Person", "properties": {}}]
    }
    assert words("jobs", "requeue", letter["id"][:8]).out == "queued 1 job again\n"
    assert words("jobs", "cancel", "words").out == "cancelled 1 job\n"
    total = words("jobs", "status", "--json").json["total"]
    assert (total["total"], total["succeeded"], total["cancelled"], total["failed"]) == (4, 3, 1, 0)


def test_a_worker_tells_in_words_what_it_did(words: Lakehouse) -> None:
    words("jobs", "defer", "-d", "acme", "-", stdin=lines([upper("p1"), upper("p2")]))
    worked = words("jobs", "work", "words")
    assert worked.out.splitlines()[0].startswith("worked 4 jobs of words in ")
    assert worked.out.splitlines()[0].endswith(": 3 succeeded, 1 failed")
    assert "p2 is next" in worked.err
    assert worked.out.splitlines()[1] == "wrote 4 statements into acme"
    assert "1 job failed for good; `lakehouse jobs dead words` tells why" in worked.err
    assert words("jobs", "work", "nothing").out.startswith("worked 0 jobs of nothing in ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line 2 is no job"),
        (b'{"task": "t", "queue": ""}', "queue: String should have at least 1 character"),
        (b'{"task": "unknown"}', "queue: Field required"),
        (b'{"task": "t", "queue": "q", "payload": {"a": NaN}}', "nan is no number"),
        (b"[]", "no JSON object"),
    ],
)
def test_a_line_that_is_no_job_is_named_and_nothing_is_queued(
    words: Lakehouse, line: bytes, reason: str
) -> None:
    told = words("jobs", "defer", "-", stdin=lines([{"task": "t", "queue": "q"}]) + line + b"\n")
    assert told.code == 1
    assert reason in told.err
    assert words("jobs", "status", "--json").json == {"queues": [], "total": None}


def test_which_jobs_are_meant_has_to_be_said(words: Lakehouse) -> None:
    for call in (["requeue"], ["requeue", "--all", "x"], ["cancel"], ["work"]):
        assert words("jobs", *call).code == 2
    assert "lists them" in words("jobs", "requeue", "abc").err
    assert words("jobs", "requeue", "--all").out == "queued 0 jobs again\n"
    assert words("jobs", "work", "words", "--stages", "no_such").code == 1


def test_what_would_be_cancelled_is_counted(words: Lakehouse) -> None:
    given = [{"payload": {"n": number}} for number in range(3)]
    words(
        "jobs",
        "defer",
        "--queue",
        "q",
        "--task",
        "t",
        "--priority",
        "7",
        "-d",
        "acme",
        "-",
        stdin=lines(given),
    )
    assert words("jobs", "cancel", "-d", "acme", "--dry-run").out == "would cancel 3 jobs\n"
    assert words("jobs", "cancel", "-d", "acme", "--json").json["jobs"] == 3
