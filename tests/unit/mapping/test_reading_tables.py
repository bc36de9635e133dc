import bz2
import datetime
import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest
import zstandard

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping import csv_tables
from lakehouse_assets.mapping.opening import open_table
from tests.unit.mapping.tables import HEADER, ROWS, csv_bytes, read, workbook, write

NUMBERED = [(number, *row) for number, row in enumerate(ROWS, start=2)]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "iso8859-15"],
)
def test_the_encoding_of_a_text_is_seen(tmp_path: Path, encoding: str) -> None:
    rows, bad, _ = read(write(tmp_path, csv_bytes(encoding=encoding)))
    assert (rows, bad) == (NUMBERED, [])


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1251", "Общество с ограниченной ответственностью"),
        ("koi8-r", "Общество с ограниченной ответственностью"),
        ("cp1250", "Spółka z ograniczoną odpowiedzialnością, Łódź"),
        ("iso8859-2", "Dvořák Šťastný, Plzeň"),
        ("cp1254", "Türkiye İş Bankası, Şirket Çağrı"),
        ("cp932", "株式会社日立製作所"),
        ("gb18030", "中国石油天然气集团公司"),
    ],
)
def test_the_letters_tell_an_encoding_that_has_no_mark(tmp_path: Path, encoding: str, name: str) -> None:
    rows, _, _ = read(write(tmp_path, csv_bytes([HEADER, ["1", name, ""]], encoding=encoding)))
    assert rows == [(2, "1", name, "")]


def test_typographic_quotes_alone_are_those_of_western_spreadsheets(tmp_path: Path) -> None:
    name = "Smith’s “Best” – 5 €"
    rows, _, how = read(write(tmp_path, csv_bytes([HEADER, ["1", name, ""]], encoding="cp1252")))
    assert rows == [(2, "1", name, "")]
    assert how["encoding"] == "cp1252"


def test_an_encoding_that_is_stated_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path, csv_bytes([HEADER, ["1", "ÄÖÜ", ""]], encoding="cp437"))
    assert read(path, encoding="cp437")[0] == [(2, "1", "ÄÖÜ", "")]


def test_one_bad_byte_makes_a_bad_row_and_no_other_encoding(tmp_path: Path) -> None:
    data = csv_bytes() + b"4,Caf\xe9,fr\r\n5,Last,de\r\n"
    rows, bad, how = read(write(tmp_path, data))
    assert rows == [*NUMBERED, (6, "5", "Last", "de")]
    assert [(row.number, row.reason) for row in bad] == [(5, "not utf-8")]
    assert how["encoding"] == "utf-8"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quotechar", ['"', "'"])
def test_delimiter_and_quotes_are_seen(tmp_path: Path, delimiter: str, quotechar: str) -> None:
    data = csv_bytes(delimiter=delimiter, quotechar=quotechar, quoting=1)
    assert read(write(tmp_path, data))[0] == NUMBERED


def test_a_delimiter_that_is_stated_is_believed(tmp_path: Path) -> None:
    data = csv_bytes(delimiter="~")
    assert read(write(tmp_path, data), delimiter="~")[0] == NUMBERED


def test_the_columns_of_the_mapping_tell_the_delimiter_where_the_rows_do_not(tmp_path: Path) -> None:
    # by the look of it, commas part the cells as evenly
    data = b"id;name, first\n1;Doe, Jane\n2;Roe, Joe\n"
    assert read(write(tmp_path, data), likely=["name, first"], columns=["id", "name, first"])[0] == [
        (2, "1", "Doe, Jane"),
        (3, "2", "Roe, Joe"),
    ]


def test_the_line_that_tells_a_spreadsheet_the_delimiter_is_no_header(tmp_path: Path) -> None:
    data = b"sep=;\n" + csv_bytes(delimiter=";")
    assert read(write(tmp_path, data), likely=[])[0] == [(number + 1, *row) for number, *row in NUMBERED]


def test_a_title_above_the_header_is_passed_over(tmp_path: Path) -> None:
    data = b"Register of companies\n\nas of 2024, without warranty\n" + csv_bytes()
    rows, bad, how = read(write(tmp_path, data))
    assert (rows, bad) == ([(number + 3, *row) for number, *row in NUMBERED], [])
    assert how["header"] == "4"


def test_a_header_that_is_stated_is_believed(tmp_path: Path) -> None:
    data = b"id,name,country\n1,2,3\n" + csv_bytes()
    rows, _, _ = read(write(tmp_path, data), header=3)
    assert rows == [(number + 2, *row) for number, *row in NUMBERED]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, zstandard.compress])
def test_a_compressed_file_is_told_by_its_bytes(tmp_path: Path, compress) -> None:
    path = write(tmp_path, compress(csv_bytes(encoding="cp1252", delimiter=";")))
    assert read(path)[0] == NUMBERED


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, zstandard.compress])
def test_a_compressed_file_that_was_cut_off_is_refused_by_name(tmp_path: Path, compress) -> None:
    whole = compress(csv_bytes([HEADER, *([str(number), f"name {number}", "de"] for number in range(9999))]))
    with pytest.raises(InvalidData, match="cannot read table"):
        read(write(tmp_path, whole[: len(whole) // 2]))


def test_uneven_rows_are_bad_with_number_reason_and_text(tmp_path: Path) -> None:
    data = b"id,name,country\n1,a,de\n2,b\n3,c,fr,x\n\n,,\n4,d,it\n"
    rows, bad, _ = read(write(tmp_path, data))
    assert [row[0] for row in rows] == [2, 6, 7]
    assert [(row.number, row.reason, row.text) for row in bad] == [
        (3, "2 cells, where the header has 3", "2,b"),
        (4, "4 cells, where the header has 3", "3,c,fr,x"),
    ]


def test_a_cell_may_hold_lines_and_quotes(tmp_path: Path) -> None:
    data = b'id,name,country\n1,"a\r\nb",de\n2,5" pipe,fr\n3, "x, ""y""",it\n'
    rows, bad, _ = read(write(tmp_path, data))
    assert rows == [(2, "1", "a\nb", "de"), (3, "2", '5" pipe', "fr"), (4, "3", 'x, "y"', "it")]
    assert bad == []


def test_a_quote_that_is_never_closed_makes_one_bad_row_that_says_so(tmp_path: Path) -> None:
    data = b'id,name,country\n1,a,de\n2,b,"fr\n3,c,it\n4,d,es\n'
    rows, bad, _ = read(write(tmp_path, data))
    assert rows == [(2, "1", "a", "de")]
    assert [(row.number, row.reason) for row in bad] == [
        (3, "a quote that is opened in it is never closed; it takes 3 lines")
    ]


def test_batches_cut_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_tables, "_CHUNK", 3)
    data = b'id,name,country\n1,"a\nb",de\n2,b\n3,c,fr\n4,d,it\n5,e,"x\n'
    rows, bad, _ = read(write(tmp_path, data))
    assert [row[0] for row in rows] == [2, 4, 5]
    assert [row.number for row in bad] == [3, 6]


def test_of_columns_with_one_name_the_last_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path, b"id,name,name\n1,a,b\n"), columns=["name"])[0] == [(2, "b")]


@pytest.mark.parametrize("data", [b"", b"\n\n  \n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidData, match="no row that names its columns"):
        read(write(tmp_path, data))


def test_a_workbook_is_read_as_it_shows_its_cells(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 1, 31)
    path = workbook(
        tmp_path,
        first=[
            ["a list of companies"],
            [],
            ["id", "name", "country", "founded", "share"],
            [1, "Müller", "de", day, 0.1 + 0.2],
            [2.5, "=1+1", "#N/A", day.replace(hour=12), 1e20],
            [],
            [3, True, None, None, None],
        ],
    )
    rows, bad, how = read(path, columns=["id", "name", "country", "founded", "share"])
    assert rows == [
        (4, "1", "Müller", "de", "2024-01-31", "0.3"),
        (5, "2.5", "", "", "2024-01-31T12:00:00", "100000000000000000000"),
        (7, "3", "true", "", "", ""),
    ]
    assert bad == []
    assert how == {"format": "xlsx", "sheet": "first", "header": "3"}


def test_another_sheet_is_read_when_it_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, about=[["nothing here"]], companies=[HEADER, *ROWS])
    assert read(path, sheet="companies")[0] == NUMBERED
    with pytest.raises(InvalidData, match="no sheet 'company'; did you mean 'companies'"):
        read(path, sheet="company")


def test_rows_of_a_sheet_that_are_wider_than_its_header_are_bad(tmp_path: Path) -> None:
    path = workbook(tmp_path, first=[HEADER, *ROWS, ["4", "x", "de", "", "more"]])
    rows, bad, _ = read(path)
    assert rows == NUMBERED
    assert [(row.number, row.reason) for row in bad] == [(5, "5 cells, where the header has 3")]


def test_a_compressed_workbook_is_read(tmp_path: Path) -> None:
    book = workbook(tmp_path, first=[HEADER, *ROWS])
    assert read(write(tmp_path, gzip.compress(book.read_bytes())))[0] == NUMBERED


def test_a_parquet_file_is_read_as_texts(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2],
            "name": ["a", None],
            "day": [datetime.date(2024, 1, 31), None],
            "time": [datetime.datetime(2024, 1, 31, 1, 2, 3), datetime.datetime(2024, 1, 31)],
            "share": [0.5, None],
            "open": [True, False],
        }
    )
    path = tmp_path / "table"
    frame.write_parquet(path)
    rows, _, how = read(path, columns=frame.columns)
    assert rows == [
        (1, "1", "a", "2024-01-31", "2024-01-31T01:02:03", "0.5", "true"),
        (2, "2", None, None, "2024-01-31", None, "false"),
    ]
    assert how == {"format": "parquet"}


def test_a_parquet_column_of_lists_is_refused_only_where_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table"
    pl.DataFrame({"id": [1], "names": [["a", "b"]]}).write_parquet(path)
    assert read(path, columns=["id"])[0] == [(1, "1")]
    with pytest.raises(InvalidData, match="the column names holds"):
        read(path, columns=["names"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04 and then nothing", "cannot read table"),
        (b"PAR1 and then nothing PAR1", "cannot read table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel before 2007"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidData, match=reason):
        read(write(tmp_path, data))


def test_a_zip_archive_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "table", "w") as archive:
        archive.writestr("companies.csv", csv_bytes())
    with pytest.raises(InvalidData, match="a zip archive and no"):
        read(tmp_path / "table")


def test_a_workbook_with_one_cell_in_the_last_corner_takes_no_memory_for_the_others(tmp_path: Path) -> None:
    book = workbook(tmp_path, first=[HEADER, *ROWS])
    far = '<row r="300000"><c r="XFC300000"><v>1</v></c></row></sheetData>'
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(tmp_path / "far.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b"</sheetData>", far.encode())
            new.writestr(name, data)
    with open_table(tmp_path / "far.xlsx", likely=HEADER) as table:
        batches = list(table.batches(HEADER))
    assert sum(len(batch.numbers) for batch in batches) == 3
    assert [bad.number for batch in batches for bad in batch.bad] == [300_000]
