"""`lakehouse merge`, `compact`, `vacuum` and `unlock`."""

import os
from pathlib import Path

import pytest

from lakehouse_assets.lake import Lake
from tests.cli.calling import Lakehouse


def test_a_merge_rewrites_what_was_imported_twice(acme: Lakehouse, entities: Path) -> None:
    acme("import", "-d", "acme", entities)
    before = acme("query", "-d", "acme").out
    told = acme("merge", "-d", "acme", "--json").json
    assert told["dataset"] == "acme"
    assert (told["rows_before"], told["rows_after"], told["rows"]) == (16, 8, 8)
    assert told["skipped"] is False
    assert told["errors"] == 0
    assert told["digest"] == acme("status", "-d", "acme", "--json").json["content_version"]
    assert acme("query", "-d", "acme").out == before
    assert acme("merge", "-d", "acme").out == "acme: nothing to merge\n"
    forced = acme("merge", "-d", "acme", "--force").out
    assert forced.startswith("merged 1 partition of acme: 8 statements to 8 in ")


def test_a_compaction_puts_small_files_together(acme: Lakehouse, entities: Path) -> None:
    acme("import", "-d", "acme", entities)
    before = acme("statements", "-d", "acme").out
    told = acme("compact", "-d", "acme", "--json").json
    assert told["dataset"] == "acme"
    assert (told["files_before"], told["files_after"], told["rows"]) == (2, 1, 16)
    assert told["bytes"] > 0
    assert told["partitions"] == ["0/thing/bulk"]
    assert (told["skipped"], told["errors"]) == (False, 0)
    assert told["digest"] == acme("status", "-d", "acme", "--json").json["content_version"]
    assert acme("statements", "-d", "acme").out == before
    assert acme("compact", "-d", "acme").out == "acme: nothing to compact\n"
    forced = acme("compact", "-d", "acme", "--force").out
    assert forced.startswith("compacted 1 partition of acme: 1 file to 1 in ")


def test_a_vacuum_deletes_what_a_merge_replaced(acme: Lakehouse, entities: Path) -> None:
    acme("import", "-d", "acme", entities)
    acme("merge", "-d", "acme")
    before = acme("query", "-d", "acme").out
    assert acme("vacuum", "-d", "acme", "--retention-hours", "1").out == "acme: nothing to vacuum\n"
    assert acme("vacuum", "-d", "acme", "--dry-run").out.startswith("would delete 2 files of acme, ")
    told = acme("vacuum", "-d", "acme", "--json").json
    assert (told["dataset"], told["files"], told["swept"], told["dry_run"]) == ("acme", 2, 0, False)
    assert told["bytes"] > 0
    assert (told["skipped"], told["errors"]) == (False, 0)
    assert told["digest"] == acme("status", "-d", "acme", "--json").json["content_version"]
    assert acme("query", "-d", "acme").out == before
    assert acme("vacuum", "-d", "acme").out == "acme: nothing to vacuum\n"
    assert acme("vacuum", "-d", "acme", "--json").json["skipped"] is True


def test_a_vacuum_tells_of_what_dead_writers_left_over(acme: Lakehouse, folder: Path) -> None:
    left = folder / "data" / "acme" / "exports" / ".tmp-statements"
    left.parent.mkdir()
    left.write_bytes(b"torn")
    assert acme("vacuum", "-d", "acme").out == "acme: nothing to vacuum\n"
    os.utime(left, (0, 0))
    told = acme("vacuum", "-d", "acme").out
    assert told == "acme: removed 1 unfinished file that dead writers left over\n"
    assert not left.exists()


def test_hours_of_retention_cannot_be_negative(acme: Lakehouse) -> None:
    assert acme("vacuum", "-d", "acme", "--retention-hours", "-1").code == 2


def test_without_a_lock_there_is_nothing_to_unlock(acme: Lakehouse) -> None:
    assert acme("unlock", "-d", "acme").out == "acme is not locked\n"
    told = acme("unlock", "-d", "acme", "--json").json
    assert told == {"dataset": "acme", "lease": None, "holders": [], "broken": False}


def test_a_lock_is_shown_and_only_broken_by_force(acme: Lakehouse, folder: Path) -> None:
    with Lake(folder / "data").dataset("acme").leases.exclusive("merge"):
        shown = acme("unlock", "-d", "acme")
        assert shown.code == 0
        assert shown.out.startswith("held: write by ")
        assert "(merge)" in shown.out
        assert "lakehouse unlock -d acme --force" in shown.err
        assert acme("status", "-d", "acme", "--json").json["lease"]["reason"] == "merge"
        assert acme("unlock", "-d", "acme", "--force").out.startswith("broke write by ")
    assert acme("status", "-d", "acme", "--json").json["lease"] is None


def test_another_programs_lock_is_never_broken_by_itself(
    acme: Lakehouse, folder: Path, entities: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "0")
    (folder / "data" / "acme" / ".LOCK").write_text('"2026-11-21T00:00:00+00:00"')
    refused = acme("import", "-d", "acme", entities)
    assert refused.code == 1
    assert "another program" in refused.err
    assert "lakehouse unlock" in refused.err
    assert "another program" in acme("unlock", "-d", "acme").out
    assert acme("unlock", "-d", "acme", "--force", "--json").json["broken"] is True
    assert acme("import", "-d", "acme", entities).code == 0


def test_a_flush_makes_visible_what_was_imported_into_the_journal(acme: Lakehouse, entities: Path) -> None:
    before = acme("status", "-d", "acme", "--json").json
    told = acme("import", "-d", "acme", "--journal", "--origin", "late", entities)
    assert "into the journal of acme" in told.out
    waiting = acme("status", "-d", "acme", "--json").json
    assert (before["journal_rows"], waiting["journal_rows"]) == (0, 8)
    assert waiting["content_version"] == before["content_version"]
    flushed = acme("flush", "-d", "acme", "--json").json
    assert (flushed["dataset"], flushed["segments"], flushed["rows"]) == ("acme", 1, 8)
    assert (flushed["skipped"], flushed["errors"]) == (False, 0)
    assert flushed["digest"] == acme("status", "-d", "acme", "--json").json["content_version"]
    assert flushed["digest"] != before["content_version"]
    assert acme("flush", "-d", "acme").out == "acme: nothing to flush\n"
    acme("import", "-d", "acme", "--journal", entities)
    assert acme("flush", "-d", "acme").out.startswith("flushed 1 segment into acme: 8 statements in ")
