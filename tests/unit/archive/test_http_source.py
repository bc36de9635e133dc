import email.utils
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from lakehouse_assets.archive.sources.base import SourceChanged, SourceFile
from lakehouse_assets.archive.sources.http import HttpSource, masked
from lakehouse_assets.archive.sources.links import read_listing
from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from tests.crawling import left_out, listed, read, unreadable, write_tree
from tests.web import Handler, WebServer, refuses, sends, stalls_after

NAMES = {"a b.txt": "one", "deep/100%.csv": "two", "deep/ünï/ü#?.pdf": "three", "semi;colon&amp": "four"}

APACHE = """<html><head><title>Index of /files</title></head><body><h1>Index of /files</h1>
<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/"><img src="/icons/back.gif"></a></td><td><a href="/">Parent Directory</a></td></tr>
<tr><td><a href="mails/">mails/</a></td><td>2026-01-02 03:04</td><td>-</td></tr>
<tr><td><a href="a%20b.pdf"><img src="/icons/pdf.gif"></a></td><td><a href="a%20b.pdf">a b.pdf</a></td></tr>
<tr><td><a href="&uuml;.txt">ü.txt</a></td></tr></table><address>Apache/2.4 Server</address></body></html>"""

NGINX = """<html><head><title>Index of /files/</title></head><body><h1>Index of /files/</h1><hr><pre>
<a href="../">../</a>
<a href="mails/">mails/</a>                                   02-Jan-2026 03:04       -
<a href="a%20b.pdf">a b.pdf</a>                               02-Jan-2026 03:04     12345
</pre><hr></body></html>"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    with WebServer(write_tree(tmp_path / "served", NAMES)) as made:
        yield made


def source(server: WebServer, path: str = "", stall: float = 5) -> HttpSource:
    return HttpSource(server.url + path, stall_seconds=stall)


def test_the_files_of_a_listing_and_of_those_below_it_are_read(server: WebServer) -> None:
    assert read(source(server)) == {name: text.encode() for name, text in NAMES.items()}
    assert read(source(server, "deep/")) == {"100%.csv": b"two", "ünï/ü#?.pdf": b"three"}
    # a server leads to the folder itself
    assert sorted(listed(source(server, "deep"))) == ["100%.csv", "ünï/ü#?.pdf"]


def test_a_single_file_is_a_source(server: WebServer) -> None:
    assert read(source(server, quote("deep/100%.csv"))) == {"100%.csv": b"two"}


def test_listings_of_apache_and_nginx_are_understood() -> None:
    found = read_listing("http://host/files/", APACHE.encode(), "utf-8")
    assert found.files == ["http://host/files/a%20b.pdf", "http://host/files/ü.txt"]
    assert found.folders == ["http://host/files/mails/"]
    found = read_listing("http://host/files/", NGINX.encode(), None)
    assert (found.files, found.folders) == (["http://host/files/a%20b.pdf"], ["http://host/files/mails/"])


def test_links_that_lead_elsewhere_are_not_followed() -> None:
    links = [
        "http://other/files/a", "https://host/files/b", "/else/c", "..", "../up/d", "//other/e", "mailto:x@host",
        "javascript:alert(1)", "#top", "?C=N", "", "ok", "HTTP://HOST/files/f", "./ok", "http://[bad", "ok#part",
    ]  # fmt: skip
    page = "".join(f'<a href="{link}">x</a>' for link in links) + "<a>y</a><A HREF='two'>z</A>"
    found = read_listing("http://host/files/", page.encode(), None)
    assert found.files == ["http://host/files/ok", "http://host/files/two"]
    assert found.folders == []


def test_what_programs_answer_is_left_out_and_named(server: WebServer) -> None:
    page = b'<a href="get.php?id=3">x</a><a href="a%20b.txt">y</a>'
    server.rules["/"] = sends(page, Content_Type="text/html")
    assert left_out(source(server)) == {"get.php?id=3": "query"}
    assert list(read(source(server))) == ["a b.txt"]


def test_names_that_lead_out_are_archived_below(server: WebServer) -> None:
    page = b'<a href="..%2f..%2fetc%2fpasswd">x</a><a href="%2e%2e/up">y</a><a href="n%00l">z</a><a href="%ff">f</a>'
    server.rules["/"] = sends(page, Content_Type="text/html")
    for path in ("/..%2f..%2fetc%2fpasswd", "/%2e%2e/up", "/n%00l", "/%ff"):
        server.rules[path] = sends(b"x")
    assert sorted(listed(source(server))) == ["%FF", "__/__/etc/passwd", "__/up", "n%00l"]


def test_folders_without_end_are_told(tmp_path: Path) -> None:
    write_tree(tmp_path / "served", {"a.txt": "one"})
    (tmp_path / "served/loop").symlink_to(".")
    with WebServer(tmp_path / "served") as server:
        found = source(server)
        assert sorted(read(found)) == ["a.txt", "loop/a.txt", "loop/loop/a.txt", "loop/loop/loop/a.txt"]
        assert unreadable(found) == {"loop/loop/loop/loop/": "the folders seem to lead in a ring"}


def test_the_state_is_what_the_server_tells_without_sending_the_file(
    server: WebServer, tmp_path: Path
) -> None:
    os.utime(tmp_path / "served/a b.txt", (1_700_000_000, 1_700_000_000))
    found = source(server)
    file = listed(found)["a b.txt"]
    assert not file.is_known
    server.requests.clear()
    assert found.look(file).state == (3, 1_700_000_000 * 10**9, None)
    assert server.requests == [("HEAD", "/a%20b.txt")]
    server.rules["/a%20b.txt"] = sends(b"one", ETag='"abc"')
    assert found.look(file).state == (3, None, '"abc"')


@pytest.mark.parametrize(
    ("status", "error"), [(401, StorageError), (403, StorageError), (404, NotFound), (500, StorageError)]
)
def test_a_refused_file_is_told_with_its_address_and_the_answer(
    server: WebServer, status: int, error: type[Exception]
) -> None:
    found = source(server)
    file = listed(found)["a b.txt"]
    server.rules["/a%20b.txt"] = refuses(status)
    with pytest.raises(error, match=rf"/a%20b\.txt: the server answers {status}"), found.open(file):
        pass


def test_a_busy_server_is_asked_again(server: WebServer) -> None:
    found = source(server)
    file = listed(found)["a b.txt"]
    answers = iter([refuses(503), refuses(503), sends(b"one")])
    server.rules["/a%20b.txt"] = lambda handler: next(answers)(handler)
    with found.open(file) as opened:
        assert opened.stream.read() == b"one"


def test_a_folder_that_is_kept_back_is_named_and_the_others_are_listed(server: WebServer) -> None:
    server.rules["/deep/"] = refuses(403)
    found = source(server)
    assert sorted(read(found)) == ["a b.txt", "semi;colon&amp"]
    assert "the server answers 403" in unreadable(found)["deep/"]


def test_a_place_that_is_not_there_or_kept_back_or_down_is_told_at_once(server: WebServer) -> None:
    with pytest.raises(NotFound, match="the server answers 404"):
        read(source(server, "nowhere/"))
    server.rules["/"] = refuses(403)
    with pytest.raises(StorageError, match=r"the server answers 403 .*see who may read it"):
        read(source(server))
    server.shutdown()
    server.server_close()
    with pytest.raises(StorageError, match="the server cannot be reached"):
        read(source(server))


def test_a_connection_that_stalls_is_an_error_after_a_while_and_not_before(server: WebServer) -> None:
    server.rules["/a%20b.txt"] = stalls_after(b"one", 5)
    found = source(server, stall=0.4)
    began = time.monotonic()
    with (
        found.open(SourceFile("a", "a", place=f"{server.url}a%20b.txt")) as opened,
        pytest.raises(StorageError, match="nothing came for too long"),
    ):
        opened.stream.read()
    assert 0.3 < time.monotonic() - began < 4.9


def slow(handler: Handler) -> None:
    """Some bytes now and then, longer than the server may be silent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "6")
    handler.end_headers()
    for number in range(6):
        time.sleep(0.2)
        handler.wfile.write(b"%d" % number)
        handler.wfile.flush()


def test_a_slow_file_takes_the_time_that_it_takes(server: WebServer) -> None:
    server.rules["/a%20b.txt"] = slow
    found = source(server, stall=0.5)
    with found.open(SourceFile("a", "a", place=f"{server.url}a%20b.txt")) as opened:
        assert opened.stream.read() == b"012345"


DATA = bytes(range(256)) * 2000


class Breaking:
    """Sends a part of what is asked for, and hangs up."""

    def __init__(self, data: bytes, *, step: int, tag: str) -> None:
        self.data, self.step, self.tag = data, step, tag
        self.ranges: list[str] = []

    def __call__(self, handler: Handler) -> None:
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        same = handler.headers.get("If-Range", self.tag) == self.tag
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and same else 0
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", self.tag)
        handler.send_header("Content-Length", str(len(self.data) - start))
        handler.end_headers()
        handler.wfile.write(self.data[start : start + self.step])
        handler.close_connection = True


def test_a_file_whose_connection_breaks_is_read_on_from_there(server: WebServer) -> None:
    rule = server.rules["/a%20b.txt"] = Breaking(DATA, step=200_000, tag='"one"')
    found = source(server)
    with found.open(SourceFile("a", "a", place=f"{server.url}a%20b.txt")) as opened:
        assert opened.stream.read() == DATA
    assert rule.ranges == ["", "bytes=200000-", "bytes=400000-"]


def test_a_file_that_is_another_one_after_the_break_is_not_mixed_with_it(server: WebServer) -> None:
    rule = server.rules["/a%20b.txt"] = Breaking(DATA, step=200_000, tag='"one"')
    found = source(server)
    with found.open(SourceFile("a", "a", place=f"{server.url}a%20b.txt")) as opened:
        opened.stream.read(1)
        rule.tag = '"two"'
        with pytest.raises(SourceChanged):
            opened.stream.read()


def test_a_break_without_an_end_is_an_error(server: WebServer) -> None:
    server.rules["/a%20b.txt"] = Breaking(DATA, step=0, tag='"one"')
    found = source(server)
    with (
        found.open(SourceFile("a", "a", place=f"{server.url}a%20b.txt")) as opened,
        pytest.raises(StorageError, match="the connection broke"),
    ):
        opened.stream.read()


def test_a_password_is_sent_and_shown_nowhere(server: WebServer) -> None:
    seen = []

    def guarded(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        handler.reply(200, b'<a href="b.txt">b</a>', Content_Type="text/html")

    server.rules["/"] = guarded
    server.rules["/b.txt"] = refuses(403)
    found = HttpSource(server.url.replace("//", "//me:secret@"), stall_seconds=5)
    (file,) = listed(found).values()
    assert seen == ["Basic bWU6c2VjcmV0"]
    with pytest.raises(StorageError) as caught, found.open(file):
        pass
    assert "secret" not in f"{found.uri} {caught.value} {file.path}"
    assert masked("https://me:secret@host:80/a?b") == "https://host:80/a?b"
    assert masked("zip://x@y::ftp://me:se@cret@host/a@b.zip") == "zip://x@y::ftp://host/a@b.zip"
    assert masked("/srv/me@host") == "/srv/me@host"


@pytest.mark.parametrize("uri", ["http:///path", "http://host/?list", "http://host/#top"])
def test_an_address_that_is_no_folders_is_refused(uri: str) -> None:
    with pytest.raises(InvalidData, match="is no address of a folder"):
        HttpSource(uri, stall_seconds=5)


def test_a_time_that_nobody_can_read_is_no_time(server: WebServer) -> None:
    server.rules["/a%20b.txt"] = sends(b"one", Last_Modified="yesterday")
    found = source(server)
    assert found.look(listed(found)["a b.txt"]).changed is None
    now = email.utils.formatdate(usegmt=True)
    server.rules["/a%20b.txt"] = sends(b"one", Last_Modified=now)
    with found.open(listed(found)["a b.txt"]) as opened:
        assert not opened.is_settled
