"""From an address to the source that is meant."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lakehouse_assets.archive.sources.anywhere import FsspecSource
from lakehouse_assets.archive.sources.base import FileSource
from lakehouse_assets.archive.sources.containers import Limits, opened_container
from lakehouse_assets.archive.sources.http import HttpSource, masked
from lakehouse_assets.archive.sources.local import LocalSource
from lakehouse_assets.archive.sources.s3 import S3Source
from lakehouse_assets.archive.sources.tarred import TarSource
from lakehouse_assets.archive.sources.zipped import ZipSource
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.options import TIMEOUT, for_s3fs

_PACKED = ("zip", "tar")


def source_at(
    uri: str,
    *,
    settings: Settings,
    options: Mapping[str, str] | None = None,
    avoid: Sequence[Path] = (),
) -> FileSource:
    """
    The source at a path or URL; nothing remote is asked yet.

    `options` are the credentials and endpoint for buckets, `avoid` names local folders that are left out. InvalidData
    for an address that no source has, NotFound for a local folder that is not there.

    Example:
        >>> source_at("zip://mails::/srv/leak.zip", settings=get_settings()).uri
        'zip://mails::file:///srv/leak.zip'
    """
    if not uri.strip() or "\0" in uri:
        msg = f"not an address of files: {uri!r}; name a folder, a file or a URL"
        raise InvalidData(msg)
    protocol = uri.partition("://")[0] if "://" in uri else "file"
    options = options or {}
    if protocol in _PACKED and "::" in uri:
        return _packed(protocol, uri, settings, options)
    if protocol in ("file", "local") and "::" not in uri:
        return LocalSource(uri.partition("://")[2] if "://" in uri else uri, avoid=avoid)
    if protocol in ("s3", "s3a") and "::" not in uri:
        return S3Source(uri, options=options, stall_seconds=settings.crawl_stall_seconds)
    if protocol in ("http", "https") and "::" not in uri:
        return HttpSource(uri, stall_seconds=settings.crawl_stall_seconds)
    if protocol in _PACKED:
        msg = f"{uri} names no packed file; write {protocol}://::/path/to/file"
        raise InvalidData(msg)
    return FsspecSource(uri, options=_fsspec_options(uri, settings, options))


def _packed(protocol: str, uri: str, settings: Settings, options: Mapping[str, str]) -> ZipSource | TarSource:
    """The files in a packed file: `zip://folder::/path/to/file.zip`."""
    lead, _, place = uri.partition("::")
    # other programs write a star for all of it
    inner = lead.partition("://")[2].strip("/").removesuffix("*")
    is_local = "://" not in place or place.startswith("file://")
    if not place:
        msg = f"{uri} names no packed file; write {protocol}://::/path/to/file"
        raise InvalidData(msg)
    shown = (
        f"file://{Path(place.removeprefix('file://')).expanduser().resolve()}" if is_local else masked(place)
    )
    name = f"{protocol}://{inner}::{shown}"
    opener = partial(opened_container, place, name=name, options=_fsspec_options(place, settings, options))
    limits = Limits(settings.unpack_ratio, settings.unpack_bytes, settings.unpack_files)
    if protocol == "zip":
        return ZipSource(name, opener, inner=inner, limits=limits, is_local=is_local)
    return TarSource(name, opener, inner=inner, limits=limits)


def _fsspec_options(uri: str, settings: Settings, options: Mapping[str, str]) -> dict[str, object]:
    """What fsspec needs to know to open an address, and not to wait for ever."""
    protocol = uri.rpartition("::")[2].partition("://")[0]
    chained = "::" in uri
    if protocol in ("s3", "s3a"):
        found = for_s3fs({TIMEOUT: f"{settings.crawl_stall_seconds:g}", **options})
        return {"s3": found} if chained else found
    if protocol in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=settings.crawl_stall_seconds)
        waits: dict[str, object] = {"client_kwargs": {"timeout": timeout}}
        return {protocol: waits} if chained else waits
    return {}
