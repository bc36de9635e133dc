"""What `lakehouse statements` and `query` leave out, and the forms that statements are printed in."""

import csv
import io
import json
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from lakehouse_assets.exports.statements_csv import FIELDS
from tests.cli.calling import Lakehouse, run_process
from tests.factories import company, entity, write_lines


@pytest.fixture
def mixed(acme: Lakehouse, folder: Path) -> Lakehouse:
    """Acme with more origins and buckets: an older company of a leak, and an ownership."""
    ownership = entity("o1", "Ownership", owner=["p1"], asset=["c9"])
    lines = [company("c9", name=["Old Ltd"], country=["fr"]), ownership]
    file = write_lines(folder / "leak.json", lines)
    assert acme("import", "-d", "acme", file, "--origin", "leak", "--last-seen", "2020-01-01").code == 0
    return acme


def _rows(shown: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shown, newline="")))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--origin", "leak", "--prop", "name"), ["Old Ltd"]),
        (("--bucket", "interval", "--prop", "owner"), ["p1"]),
        (("--schema", "Person", "--prop", "country"), ["fr", "de"]),
        (("--prop", "country", "--changed-since", "2020-01-02"), ["fr", "de"]),
        (("--prop", "country", "--entity", "c9", "--entity", "p2"), ["fr", "de"]),
        (("--prop", "country", "--entity", "c9", "--origin", "bulk"), []),
    ],
    ids=lambda value: " ".join(value),
)
def test_statements_may_be_asked_for_in_parts(
    mixed: Lakehouse, options: tuple[str, ...], wanted: list[str]
) -> None:
    shown = mixed("statements", "-d", "acme", *options)
    assert shown.code == 0
    assert [row["value"] for row in _rows(shown.out)] == wanted
    told = mixed("statements", "-d", "acme", *options, "--json").lines
    assert [statement["value"] for statement in told] == wanted


def test_parquet_says_the_same_as_csv_and_every_reader_takes_it(mixed: Lakehouse, folder: Path) -> None:
    target = folder / "statements.parquet"
    done = mixed("statements", "-d", "acme", "--format", "parquet", "-o", target)
    assert (done.code, done.out) == (0, "")
    rows = _rows(mixed("statements", "-d", "acme").out)
    frame = pl.read_parquet(target)
    assert frame.columns == FIELDS
    assert frame.schema["first_seen"] == pl.Datetime("us", "UTC")
    assert frame.schema["external"] == pl.Boolean
    assert frame["id"].to_list() == [row["id"] for row in rows]
    assert frame["canonical_id"].to_list() == frame["entity_id"].to_list()
    assert frame["fragment"].to_list() == [""] * len(rows)
    seen = frame["last_seen"].dt.strftime("%Y-%m-%d %H:%M:%S%.6fZ").to_list()
    assert seen == [row["last_seen"] for row in rows]
    assert duckdb.sql(f"select count(*) from '{target}'").fetchall() == [(len(rows),)]
    assert pq.read_table(target).num_rows == len(rows)


def test_parquet_goes_to_a_pipe_too(mixed: Lakehouse, folder: Path) -> None:
    args = ("-m", "lakehouse_assets.cli", "statements", "-d", "acme", "--format", "parquet", "--prop", "name")
    done = run_process(*args)
    assert done.returncode == 0
    assert pl.read_parquet(io.BytesIO(done.stdout))["value"].to_list() == [
        "Acme Inc.",
        "Old Ltd",
        "Jane Doe",
        "John Doe",
    ]


def test_without_statements_parquet_has_its_columns(lakehouse: Lakehouse, folder: Path) -> None:
    lakehouse("dataset", "create", "acme")
    assert lakehouse("statements", "-d", "acme", "--format", "parquet", "-o", "none.parquet").code == 0
    assert pl.read_parquet(folder / "none.parquet").columns == FIELDS


def test_a_file_is_written_in_any_format(mixed: Lakehouse, folder: Path) -> None:
    for form in ("csv", "json"):
        mixed("statements", "-d", "acme", "--format", form, "-o", f"statements.{form}")
        assert (folder / f"statements.{form}").read_text() == mixed(
            "statements", "-d", "acme", "--format", form
        ).out


def test_a_failure_leaves_the_earlier_file(mixed: Lakehouse, folder: Path) -> None:
    target = folder / "statements.csv"
    target.write_text("earlier")
    for file in (folder / "data" / "acme" / "statements").rglob("*.parquet"):
        file.write_bytes(b"")
    assert mixed("statements", "-d", "acme", "-o", target).code == 1
    assert target.read_text() == "earlier"


@pytest.mark.parametrize("verb", ["statements", "query"])
def test_names_that_do_not_exist_are_refused_with_the_nearest(acme: Lakehouse, verb: str) -> None:
    prop = ("--prop", "contry") if verb == "statements" else ("--where", "contry=fr")
    for args, hint in [
        (("--schema", "Persn"), "no schema 'Persn' in FollowTheMoney; did you mean Person"),
        (("--schema", "person"), "did you mean Person"),
        (("--schema", "Xyzzyx"), "nothing is like it"),
        (prop, "no property 'contry' in FollowTheMoney; did you mean country"),
        (("--bucket", "things"), "no bucket 'things'; there are document, interval, mention, page, thing"),
    ]:
        refused = acme(verb, "-d", "acme", *args)
        assert (refused.code, refused.out) == (1, "")
        assert hint in refused.err


def test_a_query_by_origin_gives_whole_entities(mixed: Lakehouse, folder: Path) -> None:
    file = write_lines(folder / "more.json", [company("c1", country=["fr"])])
    mixed("import", "-d", "acme", file, "--origin", "leak")
    found = mixed("query", "-d", "acme", "--origin", "leak", "--where", "name=Acme Inc.").lines
    assert [found_entity["id"] for found_entity in found] == ["c1"]
    assert found[0]["properties"] == {"country": ["fr"], "name": ["Acme Inc."]}
    assert [
        json.loads(line)["id"]
        for line in mixed("query", "-d", "acme", "--bucket", "interval").out.splitlines()
    ] == ["o1"]
