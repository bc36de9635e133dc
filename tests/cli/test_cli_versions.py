"""`lakehouse versions`."""

from pathlib import Path

from tests.cli.calling import Lakehouse


def _titles(acme: Lakehouse, *titles: str) -> None:
    from lakehouse_assets.lake import Lake

    for title in titles:
        Lake("data").dataset("acme").configure(title=title)


def test_a_b_and_a_again_are_three_snapshots_and_each_is_printed_as_it_was(acme: Lakehouse) -> None:
    _titles(acme, "B", "Acme leak")
    listed = acme("versions", "-d", "acme", "config.yml", "--json").json
    assert listed["dataset"] == "acme"
    shown = [acme("versions", "-d", "acme", "config.yml", "--at", at["at"]).out for at in listed["versions"]]
    assert [text.count("title: B") for text in shown] == [0, 1, 0]
    assert shown[0] == shown[2]
    assert [version["bytes"] for version in listed["versions"]] == [len(text.encode()) for text in shown]


def test_all_documents_are_listed_with_time_and_size(acme: Lakehouse) -> None:
    acme("make", "-d", "acme")
    lines = acme("versions", "-d", "acme").out.splitlines()
    assert lines[0].split() == ["document", "time", "size"]
    assert {line.split()[0] for line in lines[1:]} == {"config.yml", "index.json", "exports/statistics.json"}


def test_a_document_may_be_named_in_short(acme: Lakehouse, folder: Path) -> None:
    acme("make", "-d", "acme")
    for short, key in {
        "config": "config.yml",
        "index": "index.json",
        "statistics": "exports/statistics.json",
    }.items():
        shown = acme("versions", "-d", "acme", short, "--at", "2999-01-01")
        assert shown.out.encode() == (folder / "data" / "acme" / key).read_bytes()


def test_a_snapshot_in_json_has_its_time_and_content(acme: Lakehouse, folder: Path) -> None:
    shown = acme("versions", "-d", "acme", "config", "--at", "2999-01-01", "--json").json
    assert shown["content"] == (folder / "data" / "acme" / "config.yml").read_text()
    assert shown["path"].endswith("/config.yml")


def test_what_is_not_there_is_said_in_one_line(acme: Lakehouse) -> None:
    unknown = acme("versions", "-d", "acme", "readme.md")
    assert (unknown.code, unknown.out) == (1, "")
    assert "readme.md has no versions; there are versions of config.yml" in unknown.err
    early = acme("versions", "-d", "acme", "config", "--at", "2001-01-01")
    assert early.code == 1
    assert "no version as early as 2001-01-01T00:00:00.000000Z; the first is of 2" in early.err
    assert acme("versions", "-d", "acme", "--at", "2001-01-01").code == 2
    assert acme("versions", "-d", "acme", "../config.yml").code == 1
