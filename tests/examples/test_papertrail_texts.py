"""The first stage of the example chain: what files of several kinds say."""

import io
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pytest

import lakehouse_assets

EXAMPLES = Path(lakehouse_assets.__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

from papertrail import texts  # noqa: E402
from papertrail.texts import Text, Unreadable, is_readable, read_text  # noqa: E402

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def read(data: bytes, mimetype: str) -> Text:
    return read_text(io.BytesIO(data), mimetype)


def body(data: bytes, mimetype: str) -> str:
    [text] = read(data, mimetype).properties["bodyText"]
    return text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_is_read_in_the_encoding_that_it_is_written_in(encoding: str) -> None:
    said = "Grüße aus Mülheim an der Ruhr, für Señor Núñez\r\nund zurück\r\n"
    assert body(said.encode(encoding), "text/plain") == said.replace("\r\n", "\n").strip()


def test_a_text_without_words_has_no_body() -> None:
    assert read(b" \r\n\t ", "text/plain") == Text()


def test_what_a_page_does_not_show_is_left_out() -> None:
    html = b"<title>A &amp; B</title><script>var x = 1</script><style>p {}</style><h1>Head</h1><p>One<br>two"
    found = read(html, "text/html")
    assert found.properties == {"title": ["A & B"], "bodyText": ["Head\nOne\ntwo"]}


def test_every_sheet_of_a_workbook_is_read() -> None:
    book = openpyxl.Workbook()
    book.active.title = "owners"
    book.active.append(["name", None, "since"])
    book.active.append(["Acme", None, 1999])
    book.create_sheet("notes")["B2"] = "see desk@example.org"
    data = io.BytesIO()
    book.save(data)
    assert body(data.getvalue(), XLSX) == "owners\nname\t\tsince\nAcme\t\t1999\nnotes\n\tsee desk@example.org"


def test_each_page_of_a_pdf_has_its_text() -> None:
    found = read((EXAMPLES / "papers/figures/stations by country.pdf").read_bytes(), "application/pdf")
    [page] = found.pages
    assert page.splitlines()[:2] == ["France: 5", "Spain: 3"]


def mail(text: str = "Plain words", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Jörg Müller <jm@example.org>"
    message["To"] = "a@example.org, b@example.org"
    message["Subject"] = "Über alles"
    message["Date"] = "Mon, 02 Mar 2026 09:30:00 +0100"
    if text:
        message.set_content(text)
    if html:
        (message.add_alternative if text else message.set_content)(html, subtype="html")
    return message


def test_a_mail_says_who_wrote_to_whom_and_when() -> None:
    assert read(mail().as_bytes(), "message/rfc822").properties == {
        "from": ["Jörg Müller <jm@example.org>"],
        "to": ["a@example.org, b@example.org"],
        "subject": ["Über alles"],
        "date": ["2026-03-02T09:30:00+01:00"],
        "bodyText": ["Plain words"],
    }


def test_the_plain_text_of_a_mail_goes_before_its_page() -> None:
    assert body(mail("Plain", "<p>Page</p>").as_bytes(), "message/rfc822") == "Plain"
    assert body(mail("", "<p>Page</p><script>x</script>").as_bytes(), "message/rfc822") == "Page"


def test_an_attachment_is_no_text_of_the_mail() -> None:
    message = mail("See the list.")
    message.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="list.csv")
    assert body(message.as_bytes(), "message/rfc822") == "See the list."


@pytest.mark.parametrize(
    "header",
    [
        b"Date: yesterday",
        b"Content-Type: text/plain; charset=nonsense",
        b"From: <<>",
        b"Subject: =?x?q?=FF?=",
    ],
)
def test_a_mail_with_a_broken_header_still_says_the_rest(header: bytes) -> None:
    assert body(header + b"\r\nTo: a@example.org\r\n\r\nThe text", "message/rfc822") == "The text"


@pytest.mark.parametrize("mimetype", ["image/png", "application/zip", "text/rtf", "application/octet-stream"])
def test_what_has_no_text_is_left_alone(mimetype: str) -> None:
    assert not is_readable(mimetype)
    with pytest.raises(Unreadable, match=mimetype):
        read_text(io.BytesIO(b"anything"), mimetype)


@pytest.mark.parametrize("mimetype", ["application/pdf", XLSX])
@pytest.mark.parametrize("data", [b"", b"no such thing", b"%PDF-1.4\nxref\n0 0\n", b"PK\x03\x04" + bytes(60)])
def test_a_damaged_file_is_told_from_trouble_with_the_store(mimetype: str, data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\w+: "):
        read_text(io.BytesIO(data), mimetype)


class Broken(io.BytesIO):
    """A file on a store that went away."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def test_trouble_with_the_store_is_no_fault_of_the_file() -> None:
    with pytest.raises(ConnectionResetError):
        read_text(Broken(), "text/plain")


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MOST_UNPACKED", 1 << 20)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", bytes(2 << 20))
    with pytest.raises(Unreadable, match="unpacks to more"):
        read_text(io.BytesIO(data.getvalue()), XLSX)


def test_of_a_text_that_is_too_long_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_CHARACTERS", 10)
    assert body("ß".encode() * 100, "text/plain") == "ß" * 10
