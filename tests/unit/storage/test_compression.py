import gzip
import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.compression import compressing, decompressing, plain_name


def compress(data: bytes, compression: str | None) -> bytes:
    sink = io.BytesIO()
    with compressing(sink, compression) as file:
        file.write(data)
    assert not sink.closed
    return sink.getvalue()


@given(st.binary(), st.sampled_from([None, "gz", "zst"]))
def test_what_is_compressed_comes_back_and_is_the_same_each_time(
    data: bytes, compression: str | None
) -> None:
    packed = compress(data, compression)
    assert packed == compress(data, compression)
    name = f"a.json.{compression}" if compression else "a.json"
    with decompressing(io.BytesIO(packed), name) as file:
        assert file.read() == data


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_lines_are_read_across_frames(name: str) -> None:
    pack = gzip.compress if name.endswith(".gz") else zstandard.compress
    source = io.BytesIO(pack(b"one\ntw") + pack(b"o\nthree"))
    assert list(decompressing(source, name)) == [b"one\n", b"two\n", b"three"]


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(InvalidData, match="gz or zst"):
        compress(b"", "rar")


def test_the_plain_name_has_no_suffix() -> None:
    assert [plain_name(name) for name in ("a.json.gz", "a.json", "a.csv.bz2")] == [
        "a.json",
        "a.json",
        "a.csv",
    ]
