"""`lakehouse dataset`."""

from pathlib import Path

from tests.cli.calling import Lakehouse


def test_a_dataset_is_made_with_its_config(lakehouse: Lakehouse, folder: Path) -> None:
    result = lakehouse("dataset", "create", "acme", "--title", "Acme leak", "--tag", "leak", "--tag", "2026")
    assert result.code == 0
    assert result.out.startswith("created acme in ")
    config = (folder / "data" / "acme" / "config.yml").read_text()
    assert "title: Acme leak" in config
    assert "- leak" in config


def test_a_new_dataset_is_described_in_json(lakehouse: Lakehouse) -> None:
    result = lakehouse("--json", "dataset", "create", "acme", "--compression", "zst").json
    assert result["dataset"] == "acme"
    assert result["uri"].endswith("/data/acme")
    assert result["config"]["compression"] == "zst"


def test_a_dataset_is_not_made_twice(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme", "--title", "First")
    result = lakehouse("dataset", "create", "acme", "--title", "Second")
    assert result.code == 1
    assert "'acme' is there already" in result.err
    assert lakehouse("dataset", "show", "acme", "--json").json["config"]["title"] == "First"


def test_a_config_that_cannot_be_is_refused(lakehouse: Lakehouse, folder: Path) -> None:
    result = lakehouse("dataset", "create", "acme", "--url", "nowhere", "--compression", "rar")
    assert result.code == 1
    assert "url" in result.err
    assert "compression" in result.err
    assert result.err.count("\n") == 1
    assert not (folder / "data" / "acme" / "config.yml").exists()


def test_datasets_are_listed_by_name(lakehouse: Lakehouse) -> None:
    for name in ("beta", "acme"):
        lakehouse("dataset", "create", name, "--title", f"The [red]{name}[/red] list")
    assert lakehouse("dataset", "ls", "--json").json == {"datasets": ["acme", "beta"]}
    shown = lakehouse("dataset", "ls").out
    assert shown.splitlines()[1].split(maxsplit=1) == ["acme", "The [red]acme[/red] list"]
    assert "\x1b" not in shown


def test_a_torn_config_does_not_hide_the_others(lakehouse: Lakehouse, folder: Path) -> None:
    for name in ("acme", "beta"):
        lakehouse("dataset", "create", name)
    (folder / "data" / "acme" / "config.yml").write_text("title: [torn")
    listed = lakehouse("dataset", "ls")
    assert listed.code == 0
    assert [row.split() for row in listed.out.splitlines()[1:]] == [["acme", "?"], ["beta", "beta"]]
    assert "acme/config.yml, line " in listed.err


def test_a_deleted_dataset_is_listed_apart_and_comes_back(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme")
    assert "undelete acme" in lakehouse("dataset", "delete", "acme").out
    assert lakehouse("dataset", "ls", "--json").json == {"datasets": []}
    assert lakehouse("dataset", "ls", "--deleted").out.splitlines()[1].startswith("acme  20")
    assert "undelete acme" in lakehouse("status", "-d", "acme").err
    assert lakehouse("dataset", "undelete", "acme").out == "acme is back\n"
    assert lakehouse("dataset", "ls", "--json").json == {"datasets": ["acme"]}
    assert lakehouse("dataset", "undelete", "acme").code == 1
    assert lakehouse("dataset", "delete", "other").code == 1


def test_the_files_of_a_deleted_dataset_go_in_two_steps(lakehouse: Lakehouse, folder: Path) -> None:
    lakehouse("dataset", "create", "acme")
    lakehouse("dataset", "delete", "acme")
    (folder / "data" / "acme" / "mine.txt").write_text("mine")
    marked = lakehouse("collections", "gc", "--only", "mark")
    assert (marked.out[:7], "acme/mine.txt is none of our files" in marked.err) == ("marked ", True)
    assert lakehouse("collections", "gc", "--only", "sweep").out == "deleted 0 files (0 B)\n"
    swept = lakehouse("collections", "gc", "acme", "--only", "sweep", "--grace-days", "0", "--json").json
    assert "acme/config.yml" in swept["deleted"]
    assert [path.name for path in (folder / "data" / "acme").glob("[!.]*")] == ["mine.txt"]
    assert lakehouse("collections", "gc", "--only", "sweep", "--dry-run").code == 2


def test_an_empty_lake_lists_nothing(lakehouse: Lakehouse, folder: Path) -> None:
    result = lakehouse("dataset", "ls")
    assert (result.code, result.out) == (0, "")
    assert "lakehouse dataset create" in result.err
    assert lakehouse("dataset", "ls", "--json").json == {"datasets": []}
    assert list(folder.iterdir()) == []


def test_showing_a_dataset_tells_metadata_counts_and_freshness(acme: Lakehouse) -> None:
    shown = acme("dataset", "show", "acme").out
    assert "Acme leak" in shown
    assert "3 entities" in shown
    assert "never made" in shown
    assert "\x1b" not in shown
    told = acme("dataset", "show", "acme", "--json").json
    assert told["entities"] == 3
    assert told["config"]["title"] == "Acme leak"
    assert told["artifacts"]["index"]["fresh"] is False


def test_control_characters_of_a_title_do_not_reach_the_terminal(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme", "--title", "red \x1b[31malert\r\n")
    for args in (("dataset", "ls"), ("dataset", "show", "acme")):
        shown = lakehouse(*args).out
        assert "\x1b" not in shown
        assert "\r" not in shown
