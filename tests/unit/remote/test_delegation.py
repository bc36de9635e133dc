"""What is delegated, what stays here, and what happens when the Dagster does not do it."""

import base64
import logging
import socket
from pathlib import Path

import pytest

from lakehouse_assets.errors import Conflict, InvalidData, LakehouseError, NotFound, RemoteError, Unreachable
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import (
    CompactJob,
    CompactOperation,
    CrawlJob,
    CrawlOperation,
    DatasetJobOperation,
    ExportStatementsJob,
    MergeJob,
    MergeOperation,
)
from lakehouse_assets.remote import following
from lakehouse_assets.remote.server import Server
from lakehouse_assets.settings import Settings
from tests.factories import make_dataset, person, tree, write_lines
from tests.unit.remote.scripted import ScriptedDagster, seen, step_failure


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(following, "_LONGEST_PAUSE", 0.05)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset with a person."""
    dataset = make_dataset(tmp_path / "lake")
    dataset.import_files([write_lines(tmp_path / "people.json", [person()])])
    monkeypatch.setenv("LAKEHOUSE_URI", dataset.lake.uri)
    return dataset


def delegated(acme: Dataset, url: str, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The same dataset as one opens it who has set the address of a Dagster."""
    monkeypatch.setenv("LAKEHOUSE_DAGSTER_URL", url)
    return Lake(acme.lake.uri).dataset("acme")


def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}"


def refusal(dataset: Dataset) -> str:
    """What a merge is refused with; nothing in the lake may have changed."""
    folder = Path(dataset.lake.uri.removeprefix("file://"))
    before = tree(folder, reports=True)
    with pytest.raises(RemoteError) as error:
        dataset.merge(force=True)
    assert tree(folder, reports=True) == before
    return str(error.value)


def test_a_dagster_that_is_not_there_is_an_error_and_nothing_is_done_here(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = nobody()
    dataset = delegated(acme, url, monkeypatch)
    with pytest.raises(Unreachable, match=r"Connection refused.*unset LAKEHOUSE_DAGSTER_URL"):
        dataset.merge()
    with pytest.raises(Unreachable) as error:
        dataset.make()
    assert error.value.url == url
    assert not acme.location.exists("index.json")


def test_that_all_is_fresh_does_not_hide_that_the_dagster_is_gone(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.make()
    with pytest.raises(Unreachable):
        delegated(acme, nobody(), monkeypatch).make()
    with ScriptedDagster() as dagster:
        assert delegated(acme, dagster.url, monkeypatch).make().skipped
        assert dagster.launched() == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_refused_is_told_without_the_password(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with ScriptedDagster() as dagster:
        dagster.status, dagster.body = status, b"no"
        url = dagster.url.replace("http://", "http://me:geheim@")
        told = refusal(delegated(acme, url, monkeypatch))
        assert dagster.asked[0]["login"] == "Basic " + base64.b64encode(b"me:geheim").decode()
    assert f"refuses (HTTP {status})" in told
    assert "geheim" not in told


@pytest.mark.parametrize("body", [b"<html>a wiki</html>", b"[]", b"{}"])
def test_a_server_that_is_no_dagster_is_told(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    with ScriptedDagster() as dagster:
        dagster.body = body
        assert "is no Dagster" in refusal(delegated(acme, dagster.url, monkeypatch))


def test_a_dagster_without_a_lake_says_what_it_has(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"name": "ours", "locationOrLoadError": {"__typename": "PythonError", "message": "no module\n"}}
    with ScriptedDagster(
        repositoriesOrError={"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": []}},
        workspaceOrError={"workspaceOrError": {"__typename": "Workspace", "locationEntries": [broken]}},
    ) as dagster:
        assert "ours cannot be loaded: no module" in refusal(delegated(acme, dagster.url, monkeypatch))


def test_of_several_lakes_the_settings_name_one(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def node(location: str, job: str) -> dict[str, object]:
        return {"name": "__repository__", "location": {"name": location}, "jobs": [{"name": job}]}

    nodes = [node("one", "make"), node("two", "make"), node("three", "leaks_make")]
    found = {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": nodes}}
    with ScriptedDagster(repositoriesOrError=found) as dagster:
        told = refusal(delegated(acme, dagster.url, monkeypatch))
        assert "one, two; set LAKEHOUSE_DAGSTER_LOCATION" in told
        url = dagster.url
        assert Server(Settings(dagster_url=url, dagster_location="two")).repository == {
            "repositoryName": "__repository__",
            "repositoryLocationName": "two",
        }
        prefixed = Server(Settings(dagster_url=url, dagster_prefix="leaks")).repository
        assert prefixed["repositoryLocationName"] == "three"


def test_a_read_only_dagster_refuses_and_nothing_is_done(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    no = {"launchRun": {"__typename": "UnauthorizedError", "message": "Authorization failed"}}
    with ScriptedDagster(launchRun=no) as dagster:
        told = refusal(delegated(acme, dagster.url, monkeypatch))
    assert "Authorization failed (is it read-only?)" in told
    assert "nothing was done" in told


def test_config_that_an_older_dagster_does_not_know_is_told(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [{"message": 'unexpected config entry "job"'}]
    no = {"launchRun": {"__typename": "RunConfigValidationInvalid", "errors": errors}}
    with ScriptedDagster(launchRun=no) as dagster:
        assert 'entry "job"' in refusal(delegated(acme, dagster.url, monkeypatch))


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://host", "http://", "yes"])
def test_an_address_that_is_none_is_refused(acme: Dataset, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(InvalidData, match="write it like http://host:3000"):
        delegated(acme, url, monkeypatch).merge()


@pytest.mark.parametrize("end", ["/", "/graphql", "/dagster", "/dagster/graphql/"])
def test_an_address_may_have_a_path(acme: Dataset, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    with ScriptedDagster() as dagster:
        assert Server(Settings(dagster_url=dagster.url + end)).repository
        assert dagster.asked[0]["path"] == ("/dagster/graphql" if "dagster" in end else "/graphql")


def test_the_errors_of_a_run_are_those_of_the_work(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = seen("FAILURE", step_failure("another writer was faster", "Conflict"))
    job = MergeJob.make(dataset="acme")
    with ScriptedDagster(runOrError=[seen("QUEUED"), fails, seen("FAILURE")]) as dagster:
        delegated(acme, dagster.url, monkeypatch)
        with pytest.raises(Conflict, match=r"another writer was faster \(in Dagster: http.*/runs/r1\)"):
            MergeOperation(job).run(force=True)
    assert not job.running
    assert "another writer was faster" in str(job.exc)


def test_a_cancelled_run_and_one_of_foreign_trouble_name_their_page(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = seen("FAILURE", step_failure("division by zero", "ZeroDivisionError"))
    for answer, words in ((seen("CANCELED"), "was cancelled"), (foreign, "division by zero")):
        with (
            ScriptedDagster(runOrError=answer) as dagster,
            pytest.raises(RemoteError, match=f"{words}.*/runs/r1") as error,
        ):
            delegated(acme, dagster.url, monkeypatch).merge(force=True)
        assert error.value.run_id == "r1"


def test_a_run_that_died_is_followed_into_the_one_that_dagster_starts_in_its_place(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = seen("FAILURE", dagster__will_retry="true")
    again = {"runsOrError": {"__typename": "Runs", "results": [{"runId": "r2"}]}}
    with ScriptedDagster(runOrError=[died, seen("SUCCESS")], runsOrError=again) as dagster:
        run = following.follow(Server(Settings(dagster_url=dagster.url)), "r1")
    assert run == "r2"


def test_a_web_server_that_goes_away_for_a_while_is_waited_for(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedDagster(runOrError=seen("SUCCESS")) as dagster:
        dagster.status, dagster.body = 502, b"starting"
        server = Server(Settings(dagster_url=dagster.url))
        monkeypatch.setattr("time.sleep", lambda _: _recover(dagster))
        with caplog.at_level(logging.WARNING):
            assert following.follow(server, "r1") == "r1"
    assert "out of reach (HTTP 502)" in caplog.text


def _recover(dagster: ScriptedDagster) -> None:
    dagster.status, dagster.body = 200, None


@pytest.mark.parametrize(("healthy", "ends"), [(False, True), (True, False)])
def test_a_queue_that_no_daemon_serves_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, healthy: bool, ends: bool
) -> None:
    monkeypatch.setattr(following, "_QUEUE_PATIENCE", 0.1)
    status = {"required": True, "healthy": healthy}
    daemon = {"instance": {"daemonHealth": {"daemonStatus": status}}}
    queued = [seen("QUEUED")] * 8
    with ScriptedDagster(
        runOrError=[*queued, seen("SUCCESS")], daemonHealth=daemon, terminateRun={"terminateRun": {}}
    ) as dagster:
        server = Server(Settings(dagster_url=dagster.url))
        if ends:
            with pytest.raises(RemoteError, match="dagster-daemon run"):
                following.follow(server, "r1")
        else:
            assert following.follow(server, "r1") == "r1"
        assert any("terminateRun" in each["query"] for each in dagster.asked) is ends


def test_a_run_that_left_no_record_in_this_lake_is_an_error(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ScriptedDagster(runOrError=seen("SUCCESS")) as dagster,
        pytest.raises(NotFound, match=r"left no record.*LAKEHOUSE_URI"),
    ):
        delegated(acme, dagster.url, monkeypatch).export("statements")


def test_what_is_asked_for_there_is_the_whole_job(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DAGSTER_PREFIX", "leaks/raw")
    node = {"name": "r", "location": {"name": "l"}, "jobs": [{"name": "leaks_raw_make"}]}
    found = {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [node]}}
    with (
        ScriptedDagster(repositoriesOrError=found, runOrError=seen("SUCCESS")) as dagster,
        pytest.raises(NotFound, match="left no record"),
    ):
        delegated(acme, dagster.url, monkeypatch).import_files(["people.json"], origin="leak", strict=True)
    (asked,) = dagster.launched()
    assert asked["selector"]["assetSelection"] == [{"path": ["leaks", "raw", "statements"]}]
    job = asked["runConfigData"]["ops"]["leaks__raw__statements"]["config"]["job"]
    assert job.pop("run_id")
    assert job == {
        "name": "ImportJob",
        "dataset": "acme",
        "files": [str(Path("people.json").absolute())],
        "origin": "leak",
        "strict": True,
    }
    assert asked["executionMetadata"]["tags"] == [{"key": "dagster/partition", "value": "acme"}]


def test_what_only_this_process_has_is_done_here(
    acme: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = delegated(acme, nobody(), monkeypatch)
    assert dataset.import_entities([person("p2")]).entities == 1
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("Dear all")
    job = CrawlJob.make(dataset="acme", uri=str(tmp_path / "letters"), make_entities=True)
    assert CrawlOperation(job=job).run().done == 1


def test_an_operation_of_ones_own_says_that_it_is_done_here_or_is_refused(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CountOperation(DatasetJobOperation[ExportStatementsJob]):
        def handle(self, run, *args, **kwargs):  # type: ignore[no-untyped-def]
            run.job.done = 7

    class CountHereOperation(CountOperation):
        def runs_here(self) -> bool:
            return True

    delegated(acme, nobody(), monkeypatch)
    job = ExportStatementsJob.make(dataset="acme")
    assert CountHereOperation(job=job).run().done == 7
    with pytest.raises(LakehouseError, match=r"CountOperation.*runs_here\(\)"):
        CountOperation(job=job).run()


def test_reads_do_not_need_the_dagster(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = delegated(acme, nobody(), monkeypatch)
    assert list(dataset.get(["p1"])) == ["p1"]
    assert dataset.status().entities == 1
    assert dataset.lake.here().dataset("acme").merge(force=True).partitions


def test_operations_made_from_a_job_alone_are_delegated_too(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    delegated(acme, nobody(), monkeypatch)
    for operation in (
        MergeOperation(MergeJob.make(dataset="acme")),
        CompactOperation(CompactJob.make(dataset="acme")),
    ):
        with pytest.raises(Unreachable):
            operation.run()
