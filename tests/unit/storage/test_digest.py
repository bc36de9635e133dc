import csv
import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.storage.digest import DigestWriter


@given(st.lists(st.binary()))
def test_bytes_are_handed_on_hashed_and_counted(chunks: list[bytes]) -> None:
    sink = io.BytesIO()
    writer = DigestWriter(sink)
    for chunk in chunks:
        assert writer.write(chunk) == len(chunk)
    data = b"".join(chunks)
    assert (sink.getvalue(), writer.size, writer.digest) == (
        data,
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


def test_it_is_a_file_for_text_and_leaves_the_sink_open() -> None:
    sink = io.BytesIO()
    writer = DigestWriter(sink)
    with io.TextIOWrapper(writer, encoding="utf-8", newline="") as text:
        csv.writer(text).writerow(["ä", 1])
    assert not sink.closed
    assert writer.size == len("ä,1\r\n".encode())
