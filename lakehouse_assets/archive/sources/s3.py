"""Files of a bucket."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.archive.sources.base import (
    THREADS,
    Found,
    OpenFile,
    SourceChanged,
    SourceFile,
    Unreadable,
    file_at,
    nanoseconds,
)
from lakehouse_assets.archive.sources.resuming import ResumingStream
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound, StorageError
from lakehouse_assets.storage.answers import code_of, explain, is_of_client, is_refused
from lakehouse_assets.storage.options import TIMEOUT, for_s3fs

# fsspec takes 0.2 s and s3fs 1.6 s to import: only when a bucket is crawled
if TYPE_CHECKING:
    from s3fs import S3FileSystem

# more than one answer's worth of a connection's buffer, so that few turns between threads are taken
_AHEAD = 1 << 20
# s3fs tries again on top of boto's own tries
_ROUNDS = 2


class S3Source:
    """
    Objects below a prefix of a bucket, or a single one.

    Each is read by one request for the version that was listed. Objects that mark folders are no files.
    """

    threads = THREADS

    def __init__(self, uri: str, *, options: Mapping[str, str], stall_seconds: float) -> None:
        """The objects at a URL; `options` are credentials and endpoint as a lake has them."""
        bucket, _, prefix = uri.partition("://")[2].partition("/")
        if not bucket or "@" in bucket:
            msg = f"{uri} names no bucket; write s3://bucket/folder, and give credentials by AWS_* variables"
            raise InvalidData(msg)
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self.uri = f"s3://{bucket}/{self._prefix}".rstrip("/")
        self._options = for_s3fs({TIMEOUT: f"{stall_seconds:g}", **options})

    @cached_property
    def _fs(self) -> "S3FileSystem":
        # kept: fsspec would make another one, with connections of its own, in each thread
        import fsspec

        fs = fsspec.filesystem("s3", use_listings_cache=False, **self._options)
        fs.retries = _ROUNDS
        return fs

    def files(self) -> Iterator[Found]:
        """All objects in the order of their keys; NotFound without any, StorageError when they are kept back."""
        single = self._single()
        if single is not None:
            yield single
            return
        lead = f"{self._prefix}/" if self._prefix else ""
        token: dict[str, str] = {}
        found = False
        while True:
            answer = self._call("list_objects_v2", Prefix=lead, **token)
            for entry in cast(list[Mapping[str, object]], answer.get("Contents", [])):
                found = True
                name = cast(str, entry["Key"])
                if not name.endswith("/"):
                    yield _file(name[len(lead) :], name, entry, cast(int, entry["Size"]))
            if not answer.get("IsTruncated"):
                break
            token = {"ContinuationToken": cast(str, answer["NextContinuationToken"])}
        if not found:
            msg = f"there is nothing at {self.uri}; mend the address, or wait until there is"
            raise NotFound(msg)

    def _single(self) -> Found | None:
        if not self._prefix:
            return None
        try:
            answer = self._call("head_object", Key=self._prefix)
        except FileNotFoundError:
            return None
        except StorageError:
            # who may list and read may still not ask; listing tells what is the matter
            return None
        return _file(
            self._prefix.rpartition("/")[2], self._prefix, answer, cast(int, answer["ContentLength"])
        )

    def look(self, file: SourceFile) -> SourceFile:
        """The file itself: a listing tells all."""
        return file

    def close(self) -> None:
        """Nothing is left open."""

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """The version of the object that was listed, and no other."""
        name = cast(str, file.place)
        answer = self._get(name, file.tag, 0)
        body = ResumingStream(
            _Body(self._fs, answer["Body"]),
            name=f"s3://{self._bucket}/{name}",
            reopen=lambda offset: _Body(self._fs, self._get(name, file.tag, offset)["Body"]),
            breaks=_breaks(),
            told=lambda exc: self._refused(name, exc),
        )
        said = answer.get("ContentType")
        with io.BufferedReader(body, _AHEAD) as stream:
            yield OpenFile(file, cast(BinaryIO, stream), None, _said(said))

    def _get(self, name: str, tag: str | None, offset: int) -> Mapping[str, object]:
        wanted = {"Range": f"bytes={offset}-"} if offset else {}
        if tag:
            wanted["IfMatch"] = tag
        return self._call("get_object", Key=name, **wanted)

    def _call(self, method: str, **wanted: str) -> Mapping[str, object]:
        """An answer of the store; FileNotFoundError without the object, else StorageError or SourceChanged."""
        try:
            return cast(Mapping[str, object], self._fs.call_s3(method, Bucket=self._bucket, **wanted))
        except FileNotFoundError as exc:
            if code_of(exc) != "NoSuchBucket":
                raise
            raise self._refused("", exc) from exc
        except Exception as exc:
            if isinstance(exc, OSError) and "IfMatch" in wanted and is_refused(exc):
                msg = "it was replaced by another one since it was listed; crawl again"
                raise SourceChanged(msg) from exc
            if not isinstance(exc, OSError) and not is_of_client(exc):
                raise
            raise self._refused(wanted.get("Key", ""), exc) from exc

    def _refused(self, name: str, exc: BaseException) -> LakehouseError:
        place = f"s3://{self._bucket}/{name}".rstrip("/")
        return StorageError(f"{place}: {explain(exc)}")


class _Body:
    """The body of an answer, which lives in fsspec's own thread."""

    def __init__(self, fs: "S3FileSystem", body: object) -> None:
        self._fs = fs
        self._body = body

    def read(self, size: int, /) -> bytes:
        from fsspec.asyn import sync

        return cast(bytes, sync(self._fs.loop, self._body.read, size))  # type: ignore[attr-defined]

    def close(self) -> None:
        # a connection must be closed where it lives
        self._fs.loop.call_soon_threadsafe(self._body.close)  # type: ignore[attr-defined]


def _file(path: str, name: str, entry: Mapping[str, object], size: int) -> SourceFile | Unreadable:
    at, tag = entry.get("LastModified"), entry.get("ETag")
    changed = nanoseconds(at) if isinstance(at, datetime) else None
    return file_at(path, size=size, changed=changed, tag=tag if isinstance(tag, str) else None, place=name)


def _said(content_type: object) -> str | None:
    # what boto and the store say when nobody said anything
    unknown = ("binary/octet-stream", "application/octet-stream")
    return content_type if isinstance(content_type, str) and content_type not in unknown else None


def _breaks() -> tuple[type[Exception], ...]:
    """What is raised when a connection breaks, or nothing comes for too long."""
    import aiohttp
    from botocore.exceptions import HTTPClientError, IncompleteReadError, ReadTimeoutError

    kinds = (HTTPClientError, IncompleteReadError, ReadTimeoutError, aiohttp.ClientError)
    return (*kinds, TimeoutError, ConnectionError)
