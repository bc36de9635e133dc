"""Hashes of columns, few by Python, many by DuckDB."""

import hashlib

import polars as pl
import pyarrow as pa

from lakehouse_assets.storage.sql import FEW, Sql

TEXTS = ["", "acme", "Äcmé 株式会社", "a\nb", "x" * 5000]


def test_few_and_many_texts_have_the_same_hashes() -> None:
    few = Sql().sha1(pl.Series([*TEXTS, None]))
    many = Sql().sha1(pl.Series([*TEXTS, None] + ["more"] * FEW)).head(len(TEXTS) + 1)
    assert few.to_list() == many.to_list()
    assert few.to_list() == [*(hashlib.sha1(text.encode()).hexdigest() for text in TEXTS), None]


def test_no_texts_have_no_hashes() -> None:
    found = Sql().sha1(pl.Series([], dtype=pl.String))
    assert (found.dtype, len(found)) == (pl.String, 0)


def test_an_open_database_hashes_few_texts_too() -> None:
    sql = Sql()
    assert sql.ask("SELECT count(*) AS n FROM given", given=pa.table({"a": [1, 2]}))["n"].to_pylist() == [2]
    assert sql.sha1(pl.Series(["acme"])).to_list() == [hashlib.sha1(b"acme").hexdigest()]
