"""What is remembered about which rows count, from one read to the next."""

import polars as pl
import pytest

from lakehouse_assets.statements import reader, settled
from lakehouse_assets.statements import schema as s
from tests.factories import company, make_dataset, write_lines


@pytest.fixture
def acme(tmp_path):
    dataset = make_dataset(tmp_path, "acme")
    for year in ("2020", "2021"):
        rows = [company(f"c{number}") | {"last_seen": year} for number in range(50)]
        dataset.import_files([write_lines(tmp_path / f"{year}.json", rows)])
    return dataset


def read(dataset, columns):
    return pl.concat(list(dataset.statements.reader.scan(columns)))


@pytest.fixture
def compared(monkeypatch):
    """How many rows were compared."""
    counts = []

    def counting(rows, **options):
        counts.append(len(rows))
        return canonical_rows(rows, **options)

    canonical_rows = reader.canonical_rows
    monkeypatch.setattr(reader, "canonical_rows", counting)
    return counts


def test_rows_are_compared_once_whatever_columns_are_read_afterwards(acme, compared):
    every = read(acme, s.COLUMNS)
    assert len(compared) == 1
    for columns in ([s.ENTITY_ID, s.VALUE], [s.FIRST_SEEN], s.COLUMNS):
        assert read(acme, columns).equals(every.select(columns))
    assert len(compared) == 1
    assert every[s.FIRST_SEEN].dt.year().unique().to_list() == [2020]


def test_with_tombstones_it_is_another_answer(acme):
    acme.delete(["c7"])
    assert "c7" not in read(acme, [s.ENTITY_ID])[s.ENTITY_ID]
    found = pl.concat(list(acme.statements.reader.scan([s.ENTITY_ID], keep_deleted=True)))
    assert "c7" in found[s.ENTITY_ID]


def test_another_version_is_compared_anew(acme, compared, tmp_path):
    read(acme, [s.ENTITY_ID])
    acme.import_files([write_lines(tmp_path / "more.json", [company("c50")])])
    assert "c50" in read(acme, [s.ENTITY_ID])[s.ENTITY_ID]
    assert len(compared) == 2


def test_what_exceeds_the_limit_is_compared_each_time(acme, compared, monkeypatch):
    monkeypatch.setattr(settled, "MOST_ROWS", 10)
    assert read(acme, s.COLUMNS).equals(read(acme, s.COLUMNS))
    assert len(compared) == 2
