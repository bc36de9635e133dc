"""DuckDB, for what it does to whole columns better than anybody."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import polars as pl


def connect() -> "duckdb.DuckDBPyConnection":
    """A DuckDB of our own that keeps the order of rows and never touches the disk."""
    import duckdb

    return duckdb.connect(
        config={"preserve_insertion_order": "true", "autoinstall_known_extensions": "false"}
    )


def sha1(con: "duckdb.DuckDBPyConnection", texts: "pl.Series") -> "pl.Series":
    """The SHA-1 of each text, in hex; null of null."""
    import polars as pl
    import pyarrow as pa

    con.register("texts", pa.table({"text": texts.to_arrow(compat_level=pl.CompatLevel.oldest())}))
    try:
        return pl.Series("sha1", con.sql("SELECT sha1(text) AS id FROM texts").to_arrow_table()["id"])
    finally:
        con.unregister("texts")
