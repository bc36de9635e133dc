"""What all verbs share: where options stand, how a call ends."""

import re
from pathlib import Path

import pytest

from lakehouse_assets import __version__
from tests.cli.calling import Lakehouse, run_process

VERBS = [
    *("dataset", "dataset create", "dataset ls", "dataset show", "import", "get", "query", "statements"),
    *("explain", "versions", "delete", "export", "make", "merge", "unlock", "status", "check", "up"),
]

HEAVY = ("polars", "pydantic", "dagster", "followthemoney", "duckdb", "pyarrow", "deltalake", "fsspec")


def _modules_after(*args: str) -> set[str]:
    script = "import sys; from lakehouse_assets.cli import main; main(); print(*sys.modules, file=sys.stderr)"
    done = run_process("-c", script, *args)
    return {name.partition(".")[0] for name in done.stderr.decode().split()}


def test_help_loads_no_heavy_package() -> None:
    loaded = _modules_after("--help")
    assert "lakehouse_assets" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_reading_an_entity_does_not_load_dagster(acme: Lakehouse) -> None:
    loaded = _modules_after("get", "-d", "acme", "p1")
    assert "polars" in loaded
    assert "dagster" not in loaded


def test_importing_without_a_dagster_instance_does_not_load_dagster(acme: Lakehouse) -> None:
    assert "dagster" not in _modules_after("import", "-d", "acme", "entities.ftm.json")


def test_a_crawl_does_not_load_what_takes_most_memory(acme: Lakehouse, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "letter.pdf").write_bytes(b"%PDF-1.7")
    loaded = _modules_after("crawl", "-d", "acme", str(tmp_path / "files"))
    assert "deltalake" in loaded
    assert loaded.isdisjoint({"duckdb", "pandas", "followthemoney", "dagster"})


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(lakehouse: Lakehouse, verb: str) -> None:
    result = lakehouse(*verb.split(), "--help")
    assert result.code == 0
    assert re.search(rf"Example: lakehouse {verb}\b", result.out)


def test_help_lists_every_verb(lakehouse: Lakehouse) -> None:
    shown = lakehouse("--help").out
    for verb in VERBS:
        assert f" {verb.split()[0]} " in shown


def test_version_is_printed(lakehouse: Lakehouse) -> None:
    result = lakehouse("--version")
    assert (result.code, result.out) == (0, f"lakehouse {__version__}\n")


@pytest.mark.parametrize(
    "args",
    [
        ("-d", "acme", "status", "--json"),
        ("status", "-d", "acme", "--json"),
        ("--json", "status", "--dataset", "acme"),
        ("--json", "-d", "acme", "status"),
        ("-d", "other", "--json", "status", "-d", "acme"),
        ("dataset", "-d", "acme", "show", "--json"),
        ("dataset", "show", "-d", "acme", "--json"),
        ("--json", "dataset", "show", "acme"),
    ],
    ids=" ".join,
)
def test_shared_options_stand_before_and_after_a_verb(acme: Lakehouse, args: tuple[str, ...]) -> None:
    result = acme(*args)
    assert result.code == 0
    assert result.json["dataset"] == "acme"


def test_the_lake_is_named_by_an_option_or_the_environment(
    lakehouse: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lakehouse("--uri", "one", "dataset", "create", "acme").code == 0
    assert lakehouse("dataset", "create", "acme", "--uri", folder / "two").code == 0
    monkeypatch.setenv("LAKEHOUSE_URI", "three")
    assert lakehouse("dataset", "create", "acme").code == 0
    monkeypatch.delenv("LAKEHOUSE_URI")
    assert lakehouse("dataset", "create", "acme").code == 0
    for lake in ("one", "two", "three", "data"):
        assert (folder / lake / "acme" / "config.yml").exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ((), ""),
        (("fly",), "No such command 'fly'"),
        (("get",), "Missing argument 'ID'"),
        (("get", "p1"), "which dataset? Add -d NAME"),
        (("get", "-d", "a", "-d", "b", "p1"), "one dataset is meant here, not a, b"),
        (("import", "-d", "acme"), "Missing argument 'FILE'"),
        (("import", "-d", "acme", "--last-seen", "soon", "x"), "not a time: 'soon'"),
        (("query", "-d", "acme", "--where", "country"), "write PROP=VALUE"),
        (("query", "-d", "acme", "--limit", "many"), "--limit"),
        (("query", "-d", "acme", "--changed-since", "never"), "not a time"),
        (("export", "-d", "acme", "pictures"), "no such export: pictures"),
        (("statements", "-d", "acme", "--format", "xml"), "--format"),
        (("make",), "which datasets? Add -d NAME, or --all"),
        (("status", "--shout"), "No such option"),
        (("dataset",), ""),
        (("dataset", "create"), "which dataset?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_ends_with_2(
    lakehouse: Lakehouse, folder: Path, args: tuple[str, ...], reason: str
) -> None:
    result = lakehouse(*args)
    assert result.code == 2
    assert reason in result.err
    assert not reason or result.err.startswith("error: ")
    assert list(folder.iterdir()) == []


def test_a_missing_dataset_is_named_with_the_way_out(lakehouse: Lakehouse) -> None:
    for args in (("get", "x"), ("status",), ("make",), ("import", "x.json"), ("delete", "x"), ("unlock",)):
        result = lakehouse(*args, "-d", "nobody")
        assert result.code == 1
        assert result.out == ""
        assert "error: " in result.err
        assert "lakehouse dataset create nobody" in result.err


@pytest.mark.parametrize("name", ["../x", "Acme", "a b", "catalog", ".lakehouse", "a__b", "x/y", ""])
def test_a_bad_name_is_refused_before_anything_is_touched(
    lakehouse: Lakehouse, folder: Path, name: str
) -> None:
    for args in (("dataset", "create", name), ("dataset", "show", name), ("make", "-d", name)):
        result = lakehouse(*args)
        assert result.code == 1
        assert "cannot be the name of a dataset" in result.err
    assert list(folder.iterdir()) == []


def test_an_error_is_one_line_and_a_traceback_only_with_vv(lakehouse: Lakehouse) -> None:
    assert lakehouse("status", "-d", "nobody").err.count("\n") == 1
    assert lakehouse("status", "-d", "nobody", "-v").err.count("Traceback") == 0
    assert lakehouse("status", "-d", "nobody", "-vv").err.count("Traceback") == 1
    assert lakehouse("-v", "status", "-d", "nobody", "-v").err.count("Traceback") == 1


def test_a_lake_behind_http_is_refused(lakehouse: Lakehouse) -> None:
    result = lakehouse("--uri", "https://example.org/lake", "dataset", "ls")
    assert result.code == 1
    assert "LAKEHOUSE_DAGSTER_URL" in result.err


def test_a_setting_that_cannot_be_used_is_named(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_MEMORY_LIMIT", "lots")
    result = lakehouse("dataset", "ls")
    assert result.code == 1
    assert "LAKEHOUSE_MEMORY_LIMIT" in result.err


def test_what_happens_is_told_with_v_on_stderr_only(acme: Lakehouse, entities: Path) -> None:
    quiet = acme("import", "-d", "acme", entities)
    told = acme("import", "-d", "acme", entities, "-v")
    assert quiet.err == ""
    assert "imported 3 entities" in told.err
    assert told.out.startswith("imported 3 entities")


def test_an_interrupt_ends_with_130_and_leaves_nothing(
    acme: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = acme("status", "-d", "acme", "--json").json

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # the last moment before the commit
    monkeypatch.setattr("lakehouse_assets.statements.stage.Staging.finish", interrupted)
    result = acme("import", "-d", "acme", "entities.ftm.json")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert result.code == 130
    assert result.out == ""
    assert result.err == "interrupted\n"
    after = acme("status", "-d", "acme", "--json").json
    assert after["content_version"] == before["content_version"]
    assert after["lease"] is None
