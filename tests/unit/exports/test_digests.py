import polars as pl
import pytest

from lakehouse_assets import layout
from lakehouse_assets.exports import digests as module
from lakehouse_assets.exports.digests import LineDigests, read_table, sizes_of, text_digests
from lakehouse_assets.exports.documents import DocumentsCsv
from lakehouse_assets.exports.entities_json import EntitiesJson
from lakehouse_assets.storage.location import Location
from tests.unit.exports.tables import base, make_view, people, row


def table(location, key):
    return pl.concat(read_table(location, key))


def stored(tmp_path, ids):
    lines = pl.Series([f"line of {name}\n" for name in ids])
    with LineDigests(["id"], temp_directory=str(tmp_path)) as found:
        for start in range(0, len(ids), 3):
            part = lines[start : start + 3]
            found.add(pl.DataFrame({"id": ids[start : start + 3]}), text_digests(part), sizes_of(part))
        found.store(Location(tmp_path), "digests.parquet")
    return table(Location(tmp_path), "digests.parquet"), "".join(lines).encode()


@pytest.mark.parametrize("at_once", [4, 500_000])
def test_digests_are_stored_by_id_and_tell_where_each_line_stands(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(module, "RUN_ROWS", at_once)
    monkeypatch.setattr(module, "ROWS", 5)
    ids = [f"é{(number * 7) % 40:02}" for number in range(40)]
    found, data = stored(tmp_path, ids)
    assert found["id"].to_list() == sorted(ids)
    assert found["digest"].n_unique() == 40
    for name, start, size in found.select("id", "offset", "size").iter_rows():
        assert data[start : start + size].decode() == f"line of {name}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["digests.parquet"]


def test_without_lines_there_is_a_table_without_rows(tmp_path):
    with LineDigests(["id", "path"], temp_directory=None) as found:
        found.store(Location(tmp_path), "digests.parquet")
    assert list(read_table(Location(tmp_path), "digests.parquet")) == []


def kept(view):
    return [key for key in view.location.keys("diffs")]


@pytest.mark.parametrize("compression", [None, "gz", "zst"])
def test_the_entities_leave_digests_that_are_found_by_the_digest_of_their_file(tmp_path, compression):
    view = make_view(tmp_path, people(), compression=compression)
    [plain] = EntitiesJson().write(view)
    assert kept(view) == []
    view = make_view(tmp_path / "kept", people(), keep_digests=True, compression=compression)
    [result] = EntitiesJson().write(view)
    assert result.digest == plain.digest
    key = layout.diff_digests(layout.DIFF_ENTITIES, result.digest)
    assert kept(view) == [key]
    assert table(view.location, key)["id"].to_list() == ["e1", "o1", "p1", "p2"]


def test_digests_of_documents_are_named_by_id_and_folder_and_say_nothing_of_times(tmp_path):
    def rows(**changes):
        folders = [row(f"f{number}", "fileName", f"{number}", "Folder") for number in (1, 2)]
        file = [row("d1", "contentHash", "ab" * 32, "Document"), base("d1", "Document", **changes)]
        return [*folders, *file, *(row("d1", "parent", f"f{number}", "Document") for number in (1, 2))]

    one = make_view(tmp_path / "one", rows(), keep_digests=True)
    two = make_view(tmp_path / "two", rows(first_seen=people()[2]["last_seen"]), keep_digests=True)
    found = []
    for view in (one, two):
        result = DocumentsCsv().write(view)[0]
        found.append(table(view.location, layout.diff_digests(layout.DIFF_DOCUMENTS, result.digest)))
        data = view.location.read("exports/documents.csv")
        for name, folder, start, size in found[-1].select("id", "path", "offset", "size").iter_rows():
            line = data[start : start + size].decode()
            assert line.startswith(f"{name},{'ab' * 32},")
            assert line.split(",")[4] == folder
    assert found[0].select("id", "path").rows() == [("d1", "1"), ("d1", "2")]
    assert found[0]["digest"].to_list() == found[1]["digest"].to_list()
    assert one.location.read("exports/documents.csv") != two.location.read("exports/documents.csv")
