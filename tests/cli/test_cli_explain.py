"""`lakehouse explain`."""

from pathlib import Path

from tests.cli.calling import Lakehouse
from tests.factories import company, write_lines


def _import(acme: Lakehouse, folder: Path, line: dict[str, object], *options: str) -> None:
    assert acme("import", "-d", "acme", write_lines(folder / "more.json", [line]), *options).code == 0


def test_a_reader_sees_property_value_and_a_line_for_each_origin(acme: Lakehouse, folder: Path) -> None:
    old, new = company("c9", name=["Old"]), company("c9", name=["New"], jurisdiction=["Germany"])
    _import(acme, folder, {**old, "fragment": "f"}, "--origin", "leak", "--last-seen", "2026-01-01")
    _import(acme, folder, {**new, "fragment": "f"}, "--origin", "leak", "--last-seen", "2026-02-01")
    _import(acme, folder, new, "--origin", "mapping:5a6a", "--role", "court", "--last-seen", "2026-03-01")
    shown = acme("explain", "-d", "acme", "c9")
    assert shown.code == 0
    assert shown.out.splitlines()[:-2] == [
        "c9 (Company) in acme",
        "",
        "jurisdiction",
        "  de",
        "    leak, fragment f: seen 2026-02-01 00:00:00; cleaned from 'Germany'",
        "    mapping of file 5a6a, role court: seen 2026-03-01 00:00:00; cleaned from 'Germany'",
        "",
        "name",
        "  New",
        "    leak, fragment f: seen 2026-02-01 00:00:00",
        "    mapping of file 5a6a, role court: seen 2026-03-01 00:00:00",
        "  Old [does not count any more]",
        "    leak, fragment f: seen 2026-01-01 00:00:00;"
        " superseded on 2026-02-01 00:00:00 by what came next of its fragment",
    ]
    assert shown.out.splitlines()[-1].startswith("Everything is known since the table was made: version 0")


def test_a_deleted_entity_is_explained_and_a_missing_one_is_not(acme: Lakehouse) -> None:
    acme("delete", "-d", "acme", "c1")
    shown = acme("explain", "-d", "acme", "c1")
    assert shown.code == 0
    assert shown.out.startswith("c1 (Company) in acme, deleted: nothing about it counts any more\n")
    assert "; deleted on 20" in shown.out
    missing = acme("explain", "-d", "acme", "nobody\x1b[31m")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == (
        "error: no entity nobody\\x1b[31m in acme; no version of its statements ever named it\n"
    )


def test_json_is_one_object_that_says_the_same(acme: Lakehouse) -> None:
    told = acme("explain", "-d", "acme", "p1", "--json").json
    assert (told["dataset"], told["id"], told["deleted"]) == ("acme", "p1", False)
    assert [(value["prop"], value["value"]) for value in told["values"]] == [
        ("country", "fr"),
        ("name", "Jane Doe"),
    ]
    [claim] = told["values"][0]["claims"]
    assert (claim["origin"], claim["state"], claim["rows"], claim["tombstones"]) == ("bulk", "counts", 1, [])
    assert claim["first_seen"] == claim["last_seen"] == claim["said"][0]


def test_one_property_is_explained(acme: Lakehouse) -> None:
    shown = acme("explain", "-d", "acme", "p1", "--prop", "country").out
    assert "country" in shown
    assert "Jane" not in shown
    assert (
        "no origin ever gave it a value of alias"
        in acme("explain", "-d", "acme", "p1", "--prop", "alias").out
    )
    unknown = acme("explain", "-d", "acme", "p1", "--prop", "contry")
    assert unknown.code == 1
    assert "did you mean country" in unknown.err


def test_a_value_cannot_move_the_cursor_nor_fill_the_window(acme: Lakehouse, folder: Path) -> None:
    text = "one\ntwo\x1b[31m" + "x" * 1000
    _import(acme, folder, company("c9", name=[text]), "--trusted")
    shown = acme("explain", "-d", "acme", "c9").out
    assert "\x1b" not in shown
    assert "  one; two\\x1b[31mxxx" in shown
    assert "... (1,012 characters)" in shown
