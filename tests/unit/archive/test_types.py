import pytest
from followthemoney import model

from lakehouse_assets.archive.types import OCTET_STREAM, mimetype_of, schema_of, sniff

KNOWN = {
    "a.pdf": ("application/pdf", "Pages"),
    "A.DOC": ("application/vnd.ms-word", "Pages"),
    "x/y.html": ("text/html", "HyperText"),
    "a.xml": ("application/xml", "HyperText"),
    "a.csv": ("text/csv", "Table"),
    "a.xls": ("application/vnd.ms-excel", "Table"),
    "a.xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Table"),
    "a.jpeg": ("image/jpeg", "Image"),
    "a.tif": ("image/tiff", "Image"),
    "a.psd": ("image/vnd.adobe.photoshop", "Image"),
    "mail.eml": ("message/rfc822", "Email"),
    "mail.msg": ("application/vnd.ms-outlook", "Email"),
    "a.txt": ("text/plain", "PlainText"),
    "a.rtf": ("text/rtf", "PlainText"),
    "a.json": ("application/json", "Document"),
    "a.csv.gz": ("application/gzip", "Document"),
    "a.docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Document"),
    "a.pst": ("application/vnd.ms-outlook-pst", "Document"),
    "README": (OCTET_STREAM, "Document"),
    "v1.2/README": (OCTET_STREAM, "Document"),
    "a.": (OCTET_STREAM, "Document"),
    "a.whatisthis": (OCTET_STREAM, "Document"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_tells_the_type_and_the_type_the_schema(name: str) -> None:
    mimetype, schema = KNOWN[name]
    assert mimetype_of(name) == mimetype
    assert schema_of(mimetype) == schema
    assert model.get(schema).is_a("Document")


def test_what_a_server_says_wins_unless_it_says_nothing() -> None:
    assert mimetype_of("a.php", "text/html; charset=utf-8") == "text/html"
    assert mimetype_of("a.pdf", "application/octet-stream") == "application/pdf"
    assert mimetype_of("a.pdf", "") == "application/pdf"


def test_the_first_bytes_tell_where_the_name_does_not() -> None:
    assert sniff(b"%PDF-1.7 ...") == "application/pdf"
    assert sniff(b"PK\x03\x04") == "application/zip"
    assert sniff(b"hello") == sniff(b"") == OCTET_STREAM
