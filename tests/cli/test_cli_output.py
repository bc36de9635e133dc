"""Numbers, tables and bars for people."""

import io
import sys

import pytest

from lakehouse_assets.cli import humane, output, progress
from lakehouse_assets.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_951, "1.0 MB"), (10**16, "10.0 PB")],
)  # fmt: skip
def test_sizes_are_short(number: int, text: str) -> None:
    assert humane.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (75, "1 min 15 s"), (7322, "2 h 2 min")],
)
def test_spans_of_time_are_short(number: float, text: str) -> None:
    assert humane.seconds(number) == text


def test_counts_name_what_they_count() -> None:
    assert humane.count(1, "entity", "entities") == "1 entity"
    assert humane.count(12_345, "entity", "entities") == "12,345 entities"
    assert humane.count(0, "row") == "0 rows"
    assert humane.count(1_000) == "1,000"


def test_a_message_is_one_line_that_moves_no_cursor() -> None:
    assert output.visible("two\n lines\n\n\x1b[2Jand\ta bell\x07") == "two; lines; \\x1b[2Jand\\ta bell\\x07"


def test_a_bar_appears_on_a_terminal_when_work_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    with Bar("importing", shown=True) as bar:
        bar(1_000, 9_000, "lines")
        bar(10_000, 0, "lines")
    shown = sys.stderr.getvalue()
    assert "importing" in shown
    assert "10,000 lines" in shown


@pytest.mark.parametrize(
    ("stderr", "shown", "patience"), [(Terminal(), True, 60.0), (Terminal(), False, 0.0), (io.StringIO(), True, 0.0)]
)  # fmt: skip
def test_no_bar_for_quick_work_nor_off_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, shown: bool, patience: float
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "_PATIENCE", patience)
    with Bar("importing", shown=shown) as bar:
        bar(1_000, 9_000, "lines")
    assert stderr.getvalue() == ""
