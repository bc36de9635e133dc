"""Rows of a table are those that Python's own reader finds, wherever the text is cut, with and without quotes."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.mapping import csv_tables
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.opening import open_table

NAMES = ["id", "name", "note"]
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])

cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6) | st.sampled_from(
    ["a,b", 'say "x"', "two\nlines", "", " ", "x;y", "\t", "ünï", "5'", "\x00"]
)
rows = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=12)


def reference(text: str, delimiter: str) -> tuple[list[tuple[int, ...]], list[int]]:
    """The rows with three cells, each with its number, and the numbers of the others."""
    good: list[tuple[object, ...]] = []
    bad = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    for number, row in enumerate(reader, start=1):
        if number == 1:
            continue
        if len(row) == len(NAMES):
            good.append((number, *(cell.strip() for cell in row)))
        elif any(cell.strip() for cell in row):
            bad.append(number)
    return good, bad  # type: ignore[return-value]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=rows, delimiter=DELIMITERS, chunk=st.integers(1, 60), quoting=st.sampled_from([0, 1]))
@example(table=[["\x1f"]], delimiter=",", chunk=1, quoting=0)
def test_rows_are_those_of_the_plain_reader(table, delimiter, chunk, quoting):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerows([NAMES, *table])
    agrees(text.getvalue(), delimiter, chunk)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.text(st.sampled_from('ab",\n '), max_size=60), chunk=st.integers(1, 20))
def test_text_that_nobody_would_write_is_read_alike(body, chunk):
    text = f"id,name,note\n{body}\n"
    # of a quote that is never closed the plain reader says nothing
    if is_open(text):
        return
    agrees(text, ",", chunk)


def is_open(text: str) -> bool:
    """Whether the text ends inside of quotes: then what follows belongs to the last row."""
    whole = len(list(csv.reader(io.StringIO(text), skipinitialspace=True)))
    return len(list(csv.reader(io.StringIO(text + "x\n"), skipinitialspace=True))) == whole


def agrees(text: str, delimiter: str, chunk: int) -> None:
    good, bad = reference(text, delimiter)
    found: list[tuple[object, ...]] = []
    refused = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_tables, "_CHUNK", chunk)
        path = Path(folder, "table")
        path.write_bytes(text.encode())
        options = FileOptions(delimiter=delimiter, quote='"', encoding="utf-8", header=1)
        with open_table(path, options) as opened:
            for batch in opened.batches(NAMES):
                columns = [[cell.strip() for cell in column] for column in batch.cells]
                found += zip(batch.numbers, *columns, strict=True)
                refused += [row.number for row in batch.bad]
    assert (found, refused) == (good, bad)
