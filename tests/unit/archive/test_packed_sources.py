import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from lakehouse_assets.archive.sources.base import FileSource, SourceFile
from lakehouse_assets.archive.sources.choose import source_at
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound
from lakehouse_assets.settings import Settings
from tests.crawling import left_out, listed, read, unreadable
from tests.web import WebServer, refuses

FILES = {"a.txt": b"one", "deep/er/ünï.pdf": b"%PDF-1.7", "deep/empty": b""}
PACKERS = {
    "tar": lambda data: data,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def source(uri: str, **settings: object) -> FileSource:
    return source_at(uri, settings=Settings(**settings))  # type: ignore[arg-type]


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data, method)
    return path


def make_tar(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            packed.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def member(name: str, kind: bytes, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info.tobuf(tarfile.PAX_FORMAT)


def test_files_in_a_zip_file_are_read(tmp_path: Path) -> None:
    found = source(f"zip://::{make_zip(tmp_path / 'leak.zip', FILES)}")
    assert found.uri == f"zip://::file://{tmp_path}/leak.zip"
    assert read(found) == FILES
    file = listed(found)["a.txt"]
    assert (file.size, file.changed, file.tag) == (3, 1_767_323_046 * 10**9, "7a6c86f1")


@pytest.mark.parametrize("kind", PACKERS)
def test_files_in_a_tar_file_are_read_one_after_the_other(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"leak.{kind}"
    path.write_bytes(PACKERS[kind](make_tar(FILES)))
    found = source(f"tar://::{path}")
    assert found.threads == 0
    assert read(found) == FILES
    assert listed(found)["a.txt"].changed == 1_700_000_000 * 10**9


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_folder_of_a_packed_file_is_a_source(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "leak"
    if kind == "zip":
        make_zip(path, {**FILES, "deeper/x": b""})
    else:
        path.write_bytes(make_tar({**FILES, "deeper/x": b""}))
    assert read(source(f"{kind}://deep::{path}")) == {"er/ünï.pdf": b"%PDF-1.7", "empty": b""}
    assert read(source(f"{kind}://a.txt::{path}")) == {"a.txt": b"one"}
    assert read(source(f"{kind}://*::file://{path}")) == read(source(f"{kind}://::{path}"))


def test_a_packed_file_in_a_packed_file_is_a_source(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", FILES).read_bytes()
    outer = make_zip(tmp_path / "outer.zip", {"deep/inner.zip": inner})
    assert read(source(f"zip://::zip://deep/inner.zip::file://{outer}")) == FILES


def test_names_that_lead_out_are_archived_below(tmp_path: Path) -> None:
    names = ["../../up", "/etc/passwd", "a/../b", "./here", "C:\\dos", "two//slashes", "nul\0.txt", "..", "."]
    path = make_zip(tmp_path / "leak.zip", {name.replace("\0", "#"): b"x" for name in names[:-2]})
    # zipfile cuts names off there
    path.write_bytes(path.read_bytes().replace(b"nul#", b"nul\0"))
    expected = ["C:\\dos", "__/__/up", "a/__/b", "etc/passwd", "here", "nul%00.txt", "two/slashes"]
    assert sorted(read(source(f"zip://::{path}"))) == expected
    (tmp_path / "leak.tar").write_bytes(make_tar(dict.fromkeys(names, b"x")))
    found = source(f"tar://::{tmp_path / 'leak.tar'}")
    # a tar file's names end at the first zero
    assert sorted(read(found)) == [
        "C:\\dos",
        "__",
        "__/__/up",
        "a/__/b",
        "etc/passwd",
        "here",
        "nul",
        "two/slashes",
    ]
    assert unreadable(found) == {".": "it has no name"}


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "leak.zip", "w") as packed:
        for name, mode in {"file": 0o100644, "link": 0o120777, "pipe": 0o010644}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            packed.writestr(info, b"/etc/passwd")
    found = source(f"zip://::{tmp_path / 'leak.zip'}")
    assert read(found) == {"file": b"/etc/passwd"}
    assert left_out(found) == {"link": "link", "pipe": "special"}
    kinds = {
        "hard": tarfile.LNKTYPE,
        "soft": tarfile.SYMTYPE,
        "pipe": tarfile.FIFOTYPE,
        "disk": tarfile.BLKTYPE,
    }
    links = b"".join(member(name, kind, "/etc/passwd") for name, kind in kinds.items())
    (tmp_path / "leak.tar").write_bytes(links + make_tar(FILES))
    found = source(f"tar://::{tmp_path / 'leak.tar'}")
    assert read(found) == FILES
    assert left_out(found) == {"hard": "link", "soft": "link", "pipe": "special", "disk": "special"}


def test_a_member_that_unpacks_to_far_more_than_it_takes_is_refused_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("before", b"one")
        with packed.open("bomb", "w", force_zip64=True) as file:
            zeros = bytes(1 << 24)
            for _ in range(65):
                file.write(zeros)
        packed.writestr("after", b"two")
    found = source(f"zip://::{bomb}")
    assert read(found) == {"before": b"one", "after": b"two"}
    assert list(unreadable(found)) == ["bomb"]
    assert "more than 200 times as many (LAKEHOUSE_UNPACK_RATIO)" in unreadable(found)["bomb"]
    assert len(listed(source(f"zip://::{bomb}", unpack_ratio=2000))) == 3


def test_a_tar_file_is_not_read_beyond_what_may_come_out_of_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    huge = tarfile.TarInfo("bomb")
    huge.size = 5 << 40
    path.write_bytes(gzip.compress(make_tar({"before": b"one"})[:1024] + huge.tobuf(tarfile.GNU_FORMAT)))
    found = source(f"tar://::{path}")
    files = found.files()
    assert isinstance(next(files), SourceFile)
    with pytest.raises(InvalidData, match=r"bomb and what follows was not read: .* LAKEHOUSE_UNPACK_SIZE"):
        next(files)


def test_all_that_comes_out_of_a_packed_file_is_bounded(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "leak.zip", {f"{number}": bytes(1000) for number in range(5)})
    found = source(f"zip://::{path}", unpack_size="3kB")
    assert sorted(read(found)) == ["0", "1", "2"]
    assert sorted(unreadable(found)) == ["3", "4"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_more_files_than_the_limit_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "leak"
    names = {f"{number}": b"" for number in range(30)}
    path.write_bytes(make_tar(names)) if kind == "tar" else make_zip(path, names)
    assert len(read(source(f"{kind}://::{path}", unpack_files=30))) == 30
    with pytest.raises(InvalidData, match="LAKEHOUSE_UNPACK_FILES"):
        read(source(f"{kind}://::{path}", unpack_files=29))


def test_a_zip_file_that_lies_about_the_number_of_its_files_is_refused_before_they_are_read(
    tmp_path: Path,
) -> None:
    path = make_zip(tmp_path / "leak.zip", {f"{number:0250}": b"" for number in range(100)})
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    path.write_bytes(data)
    with pytest.raises(InvalidData, match="may hold more than 10 files"):
        listed(source(f"zip://::{path}", unpack_files=10))


def test_damaged_and_encrypted_members_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = make_zip(
        tmp_path / "leak.zip", {"a": b"one" * 50, "b": b"two" * 50, "c": b"three"}, zipfile.ZIP_STORED
    )
    data = bytearray(path.read_bytes())
    data[data.index(b"twotwo")] = 0
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = data.rindex(mark) + (6 if mark == b"PK\x03\x04" else 8)
        data[at] |= 1
    path.write_bytes(data)
    found = source(f"zip://::{path}")
    files = listed(found)
    reasons = {}
    for key, file in files.items():
        try:
            # as a crawl does: after everything was listed
            with found.open(file) as opened:
                opened.stream.read()
        except Exception as exc:
            reasons[key] = str(exc)
    assert reasons["b"] == "Bad CRC-32 for file 'b'"
    assert reasons["c"].startswith("it is encrypted")
    assert list(reasons) == ["b", "c"]


@pytest.mark.parametrize("data", [b"", b"no packed file", b"PK\x05\x06" + bytes(10), b"PK\x03\x04" * 20])
def test_what_is_no_zip_file_is_told_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "leak.zip").write_bytes(data)
    with pytest.raises(InvalidData, match=r"leak\.zip cannot be read as a zip file"):
        read(source(f"zip://::{tmp_path / 'leak.zip'}"))


def test_a_tar_file_that_ends_early_is_read_up_to_there(tmp_path: Path) -> None:
    data = make_tar({"a": b"x" * 5000, "b": b"y" * 5000, "c": b"z" * 5000})
    (tmp_path / "leak.tar").write_bytes(data[:9000])
    found = source(f"tar://::{tmp_path / 'leak.tar'}")
    files = found.files()
    first = next(files)
    assert isinstance(first, SourceFile)
    with found.open(first) as opened:
        assert opened.stream.read() == b"x" * 5000
    with pytest.raises(LakehouseError, match=r"leak\.tar cannot be read as a tar file after 2 files"):
        list(files)


def test_a_header_that_asks_for_all_memory_is_refused(tmp_path: Path) -> None:
    greedy = tarfile.TarInfo("name")
    greedy.type, greedy.size = tarfile.XHDTYPE, 1 << 35
    (tmp_path / "leak.tar").write_bytes(greedy.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(InvalidData, match=r"leak\.tar: a header asks for 34,359,738,368 bytes at once"):
        read(source(f"tar://::{tmp_path / 'leak.tar'}"))


@pytest.mark.parametrize("uri", ["zip://folder", "tar://", "zip://x::"])
def test_an_address_without_a_packed_file_is_refused(uri: str) -> None:
    with pytest.raises(InvalidData, match="names no packed file"):
        source(uri)


def test_a_packed_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.zip does not exist"):
        read(source(f"zip://::{tmp_path / 'nowhere.zip'}"))


def test_a_packed_file_on_a_server_is_a_source(tmp_path: Path) -> None:
    make_zip(tmp_path / "leak.zip", FILES)
    with WebServer(tmp_path) as server:
        assert read(source(f"zip://::{server.url}leak.zip")) == FILES
        server.rules["/leak.zip"] = refuses(403)
        uri = server.url.replace("//", "//me:hush@")
        with pytest.raises(NotFound, match="nobody may read it") as caught:
            read(source(f"tar://::{uri}leak.zip"))
        assert "hush" not in str(caught.value)
        with pytest.raises(NotFound, match=r"gone\.zip does not exist"):
            read(source(f"zip://::{server.url}gone.zip"))


def test_what_fsspec_knows_is_a_source() -> None:
    import fsspec

    with fsspec.open("memory://anywhere/deep/b.txt", "wb") as file:
        file.write(b"two")
    with fsspec.open("memory://anywhere/a.txt", "wb") as file:
        file.write(b"one")
    found = source("memory://anywhere")
    assert read(found) == {"a.txt": b"one", "deep/b.txt": b"two"}
    assert all(file.is_known for file in listed(found).values())
    assert read(source("memory://anywhere/deep/b.txt")) == {"b.txt": b"two"}
    with pytest.raises(NotFound, match="there is nothing at memory://anywhere/else"):
        read(source("memory://anywhere/else"))
    with pytest.raises(InvalidData, match="cannot be crawled"):
        source("gopher://old")
