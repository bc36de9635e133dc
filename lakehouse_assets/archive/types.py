"""Media types of files, and the FollowTheMoney schemata of documents."""

import mimetypes
from functools import cache

OCTET_STREAM = "application/octet-stream"
"""The type of what is not known."""

_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_OFFICE = "application/vnd.openxmlformats-officedocument"

# what investigations are full of, and Python does not know on every machine
_SUFFIXES = {
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".djvu": "image/vnd.djvu",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".dotx": f"{_OFFICE}.wordprocessingml.template",
    ".epub": "application/epub+zip",
    ".heic": "image/heic",
    ".ics": "text/calendar",
    ".jsonl": "application/x-ndjson",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mbox": "application/mbox",
    ".mp4": "video/mp4",
    ".msg": "application/vnd.ms-outlook",
    ".ndjson": "application/x-ndjson",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ost": "application/vnd.ms-outlook-pst",
    ".parquet": "application/vnd.apache.parquet",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".psd": "image/vnd.adobe.photoshop",
    ".pst": "application/vnd.ms-outlook-pst",
    ".rar": "application/vnd.rar",
    ".rtf": "text/rtf",
    ".vcf": "text/vcard",
    ".webp": "image/webp",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    ".zst": "application/zstd",
}

# how files begin that have no name to tell by
_HEADS = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"!BDN", "application/vnd.ms-outlook-pst"),
    (b"{\\rtf", "text/rtf"),
    (b"PAR1", "application/vnd.apache.parquet"),
)

# types as followthemoney cleans them
_SCHEMATA = {
    "application/pdf": "Pages",
    "application/vnd.ms-word": "Pages",
    "text/html": "HyperText",
    "application/xml": "HyperText",
    "text/csv": "Table",
    "application/vnd.ms-excel": "Table",
    f"{_OFFICE}.spreadsheetml.sheet": "Table",
    "image/png": "Image",
    "image/gif": "Image",
    "image/jpeg": "Image",
    "image/tiff": "Image",
    "image/vnd.djvu": "Image",
    "image/vnd.adobe.photoshop": "Image",
    "application/vnd.ms-outlook": "Email",
    "application/xml+opfmessage": "Email",
    "message/rfc822": "Email",
    "text/plain": "PlainText",
    "text/rtf": "PlainText",
}


def mimetype_of(name: str, content_type: str | None = None) -> str:
    """
    The type of a file by what its server says, else by its name's ending.

    Example:
        >>> mimetype_of("contracts/2024.PDF")
        'application/pdf'
    """
    if content_type:
        said = _normal(content_type)
        if said != OCTET_STREAM:
            return said
    name = name.rpartition("/")[2]
    dot = name.rfind(".")
    return _by_suffix(name[dot:].lower()) if dot >= 0 else OCTET_STREAM


def sniff(head: bytes) -> str:
    """The type that the first bytes of a file tell, for those whose name tells none."""
    return next((kind for start, kind in _HEADS if head.startswith(start)), OCTET_STREAM)


def schema_of(mimetype: str) -> str:
    """The schema of a document of this type: Pages, Table, Image, Email, ..., else Document."""
    return _SCHEMATA.get(mimetype, "Document")


@cache
def _by_suffix(suffix: str) -> str:
    known = _SUFFIXES.get(suffix)
    if known is None:
        # the types that Python knows itself: those of the system differ from machine to machine
        known, encoding = mimetypes.MimeTypes().guess_type(f"file{suffix}")
        known = _COMPRESSED.get(encoding or "", known)
    return _normal(known) if known else OCTET_STREAM


@cache
def _normal(mimetype: str) -> str:
    # followthemoney cleans types with it; the whole of followthemoney takes a second to load
    from rigour.mime import normalize_mimetype

    return normalize_mimetype(mimetype) or OCTET_STREAM
