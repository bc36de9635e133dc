"""The example chain on a lake: from archived files to what they mention."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import lakehouse_assets
from lakehouse_assets.jobs import DatasetJob, FileQueue, load_stages, stages, work_queue
from lakehouse_assets.jobs.worker import Worked
from lakehouse_assets.lake import Dataset, Lake

EXAMPLES = Path(lakehouse_assets.__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _stages_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_stages", {})
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sys.modules.pop("papertrail.stages", None)
    load_stages(["papertrail.stages"])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "letter.txt").write_text("Write to desk@example.org, or ring +44 20 7946 0958.")
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture
def dataset(tmp_path: Path, files: Path) -> Dataset:
    made = Lake(tmp_path / "lake").create_dataset("acme")
    made.crawl(files)
    return made


def read_all(dataset: Dataset) -> Worked:
    queue = FileQueue(dataset.lake)
    queue.defer(DatasetJob(dataset=dataset.name, queue="papertrail", task="files"))
    return work_queue(queue, "papertrail", lake=dataset.lake)


def entities(dataset: Dataset, schema: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in dataset.query(schema=schema)]


def test_a_document_has_its_text_and_what_it_mentions(dataset: Dataset) -> None:
    worked = read_all(dataset)
    assert (worked.jobs, worked.succeeded) == (3, 3)
    [letter] = entities(dataset, "PlainText")
    assert letter["properties"]["fileName"] == ["letter.txt"]
    assert letter["properties"]["bodyText"] == ["Write to desk@example.org, or ring +44 20 7946 0958."]
    assert letter["properties"]["emailMentioned"] == ["desk@example.org"]
    assert letter["properties"]["phoneMentioned"] == ["+442079460958"]
    assert letter["origin"] == ["crawl", "extract", "mentions"]
    mentions = entities(dataset, "Mention")
    assert {mention["caption"] for mention in mentions} == {"desk@example.org", "+44 20 7946 0958"}
    assert {mention["properties"]["document"][0] for mention in mentions} == {letter["id"]}


def test_the_exports_show_what_was_found(dataset: Dataset) -> None:
    read_all(dataset)
    dataset.make()
    lines = dataset.location.read("entities.ftm.json").splitlines()
    assert sum(json.loads(line)["schema"] == "Mention" for line in lines) == 2
    assert b"desk@example.org" in dataset.location.read("exports/statements.csv")
    # the list of files stays what it was
    assert len(dataset.location.read("exports/documents.csv").splitlines()) == 3


def test_a_file_that_was_read_is_not_read_again(dataset: Dataset, files: Path) -> None:
    read_all(dataset)
    version = dataset.content_version()
    assert read_all(dataset).jobs == 1
    assert dataset.content_version() == version
    (files / "late.txt").write_text("And a@example.org")
    dataset.crawl(files)
    assert read_all(dataset).jobs == 3
    assert len(entities(dataset, "Mention")) == 3


def test_a_damaged_file_says_so_and_holds_nobody_up(dataset: Dataset, files: Path) -> None:
    (files / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    dataset.crawl(files)
    worked = read_all(dataset)
    assert (worked.succeeded, worked.dead) == (4, 0)
    [broken] = entities(dataset, "Pages")
    assert broken["properties"]["processingStatus"] == ["failure"]
    assert "Error" in broken["properties"]["processingError"][0]
    assert len(entities(dataset, "Mention")) == 2


def test_a_page_is_part_of_its_document_and_gives_it_what_it_mentions(dataset: Dataset) -> None:
    from papers import one_page

    dataset.archive.put(io.BytesIO(one_page(["Mail a@example.org"])), key="page.pdf")
    read_all(dataset)
    [page] = entities(dataset, "Page")
    [pages] = entities(dataset, "Pages")
    assert page["properties"] == {
        "bodyText": ["Mail a@example.org"],
        "document": [pages["id"]],
        "index": ["1"],
    }
    assert pages["properties"]["emailMentioned"] == ["a@example.org"]
