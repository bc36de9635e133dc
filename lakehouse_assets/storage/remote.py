"""Files on object stores and all else that fsspec knows."""

import logging
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.errors import InvalidData, StorageError
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.answers import code_of, explain, is_of_client, is_refused
from lakehouse_assets.storage.children import Told, entries_of, files_in, stamps_of
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.files import TEMP_PREFIX, Entry
from lakehouse_assets.storage.options import for_s3fs
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.streams import Ahead, Reading, Uploading

# fsspec takes 0.2 s and s3fs 1.6 s to import: only when a remote lake is used
if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from fsspec.spec import AbstractBufferedFile

log = logging.getLogger(__name__)

# parts of 16 MB: 10,000 of them, S3's limit, make 160 GB
_PART = 16 << 20
# what S3 takes in one request
_MOST_DELETES = 1000
# s3fs tries again on top of boto's own tries, to finish an answer that was cut off
_ROUNDS = 2
# of no file that we write
_NO_ETAG = f'"{"0" * 32}"'
_WHOLE_SECOND = 1.0
_memory_guard = threading.Lock()


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


# boto tells in detail what it signs and sends: the session token, too
for _name in ("botocore.auth", "botocore.endpoint", "aiobotocore.endpoint"):
    logging.getLogger(_name).addFilter(_is_no_detail)


class RemoteFiles:
    """
    Files below a URL.

    A file appears by one PUT. Exclusive creation and swapping are the store's own conditional requests.
    """

    def __init__(self, protocol: str, root: str, options: Mapping[str, str]) -> None:
        self._protocol = protocol
        self._root = root
        self._options = dict(options)

    @property
    def _fs(self) -> "AbstractFileSystem":
        """
        The file system, from fsspec's own cache.

        It is not kept: one that was made before a fork must not be used after it.
        """
        import fsspec

        options = for_s3fs(self._options) if self._protocol == "s3" else dict(self._options)
        try:
            # listings must show what other programs write
            fs = fsspec.filesystem(self._protocol, use_listings_cache=False, **options)
        except (ValueError, ImportError, TypeError) as exc:
            # in turn: no such protocol, its package is missing, it needs options that an address cannot give
            msg = f"{self.url('')} cannot be opened: {exc}; a lake lies in a folder or on S3"
            raise InvalidData(msg) from exc
        if self._protocol == "s3":
            fs.retries = _ROUNDS
        return fs

    def path(self, key: str) -> str:
        """The path of a key, as fsspec wants it."""
        return f"{self._root}/{key}" if key else self._root

    def url(self, key: str) -> str:
        """The full address of a key."""
        return f"{self._protocol}://{self.path(key).lstrip('/')}"

    def exists(self, key: str) -> bool:
        """Whether there is a file."""
        return self._info(key) is not None

    def size(self, key: str) -> int | None:
        """The bytes of a file, None without it."""
        info = self._info(key)
        return cast(int, info["size"]) if info else None

    def modified(self, key: str) -> datetime | None:
        """When a file was last changed (UTC), None without it."""
        with self._named(key):
            try:
                at = self._fs.modified(self.path(key))
            except (FileNotFoundError, IsADirectoryError) as exc:
                if code_of(exc) == "NoSuchBucket":
                    raise
                return None
        return cast(datetime, at).astimezone(UTC)

    def age(self, key: str) -> float | None:
        """For how many seconds at least a file is as it is, by the store's own clock; None without it."""
        if self._protocol != "s3":
            at = self.modified(key)
            return max(0.0, (now_utc() - at).total_seconds()) if at else None
        bucket, _, path = self.path(key).partition("/")
        with self._named(key):
            try:
                answer = self._fs.call_s3("head_object", Bucket=bucket, Key=path)
            except FileNotFoundError as exc:
                if code_of(exc) == "NoSuchBucket":
                    raise
                return None
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(told) if told else now_utc()
        # both are told in whole seconds
        return max(0.0, (now - cast(datetime, answer["LastModified"])).total_seconds() - _WHOLE_SECOND)

    def _info(self, key: str) -> dict[str, object] | None:
        with self._named(key):
            try:
                info = self._fs.info(self.path(key))
            except FileNotFoundError as exc:
                if code_of(exc) == "NoSuchBucket":
                    raise
                return None
        return info if info["type"] == "file" else None

    def read(self, key: str) -> bytes:
        """All bytes of a file."""
        with self._named(key):
            return self._cat(key)

    def _cat(self, key: str) -> bytes:
        # s3fs would ask for the size first, and read large files in parts that may be of two versions
        options = {"max_concurrency": 1} if self._protocol == "s3" else {}
        return cast(bytes, self._fs.cat_file(self.path(key), **options))

    def open(self, key: str) -> BinaryIO:
        """A file for reading, mostly from end to end."""
        return Ahead(self._reading(key))

    def open_ranges(self, key: str) -> BinaryIO:
        """A file for reading here and there: each read is one request, for no byte more."""
        return cast(BinaryIO, self._reading(key))

    def _reading(self, key: str) -> Reading:
        # of one and the same version: s3fs compares the tag of each range
        return Reading(
            lambda: self._fs.open(self.path(key), "rb", cache_type="none"), lambda: self._named(key)
        )

    def write(self, key: str, data: bytes) -> None:
        """Put a whole file in place."""
        with self._named(key):
            self._fs.pipe_file(self.path(key), data)

    def write_unseen(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put files in place, several at a time."""
        for _ in in_parallel(lambda file: self.write(*file), files):
            pass

    def create(self, key: str, data: bytes) -> bool:
        """Put a file in place unless there is one."""
        guard = nullcontext() if self._protocol == "s3" else _memory_guard
        with self._named(key), guard:
            try:
                self._fs.pipe_file(self.path(key), data, mode="create")
            except OSError as exc:
                if is_refused(exc):
                    return False
                raise
            return True

    def prove_conditions(self, key: str) -> None:
        """StorageError when the store puts a file in place although the condition of that is not met."""
        if self._protocol != "s3":
            return
        try:
            ignored = self._ignored_condition(key)
        finally:
            self.delete(key)
        if ignored:
            msg = (
                f"{self.url('')} cannot hold a lake: this store overwrites files in spite of {ignored}, so that two "
                "writers at once would destroy each other's work; update the store, or take one that keeps to "
                "If-None-Match and If-Match when a file is put, as AWS S3 does"
            )
            raise StorageError(msg)

    def _ignored_condition(self, key: str) -> str | None:
        self.create(key, b"first")
        if self.create(key, b"second"):
            return "If-None-Match"
        if self._put_if(key, b"third", _NO_ETAG) or not self.swap(key, b"first", b"fourth"):
            return "If-Match"
        return None

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds the old bytes."""
        if self._protocol == "s3":
            return self._swap_by_etag(key, old, new)
        # a memory store lives in one process; a lock there is as good as a condition
        with _memory_guard:
            if not self._info(key) or self.read(key) != old:
                return False
            self.write(key, new)
            return True

    def _swap_by_etag(self, key: str, old: bytes, new: bytes) -> bool:
        with self._named(key):
            try:
                # the tag first: bytes read later can only be newer, and then the condition fails
                etag = str(self._fs.info(self.path(key)).get("ETag"))
                return self._cat(key) == old and self._put_if(key, new, etag)
            except FileNotFoundError as exc:
                if code_of(exc) == "NoSuchBucket":
                    raise
                return False

    def _put_if(self, key: str, data: bytes, etag: str) -> bool:
        """Replace a file if it still has this tag."""
        with self._named(key):
            try:
                self._fs.pipe_file(self.path(key), data, IfMatch=etag)
            except OSError as exc:
                if is_refused(exc):
                    return False
                raise
            return True

    def clear(self, key: str, old: bytes) -> bool:
        """Empty a file if it still holds the old bytes: stores cannot all delete on a condition."""
        return self.swap(key, old, b"")

    def remove(self, key: str, old: bytes) -> bool:
        """Remove a file if it still holds the old bytes; not every store keeps to that condition."""
        if self._protocol == "s3":
            return self._remove_by_etag(key, old)
        with _memory_guard:
            return bool(self._info(key)) and self.read(key) == old and self.delete(key)

    def _remove_by_etag(self, key: str, old: bytes) -> bool:
        bucket, _, path = self.path(key).partition("/")
        with self._named(key):
            try:
                etag = str(self._fs.info(self.path(key)).get("ETag"))
                if self._cat(key) != old:
                    return False
                self._fs.call_s3("delete_object", Bucket=bucket, Key=path, IfMatch=etag)
            except OSError as exc:
                if code_of(exc) in {"NotImplemented", "501"}:
                    return self.delete(key)
                if code_of(exc) == "NoSuchBucket" or not (
                    isinstance(exc, FileNotFoundError) or is_refused(exc)
                ):
                    raise
                return False
            return True

    def delete(self, key: str) -> bool:
        """Remove a file."""
        if self._info(key) is None:
            return False
        with self._named(key):
            try:
                self._fs.rm_file(self.path(key))
            except FileNotFoundError:
                return False
            return True

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove files; those that are not there do not matter."""
        if self._protocol != "s3":
            for key in keys:
                self.delete(key)
            return
        with self._named(""):
            self._delete_objects([self.path(key) for key in keys])

    def prune(self, keys: Sequence[str], top: str) -> None:
        """There are no folders."""

    def prune_tree(self, key: str) -> None:
        """There are no folders."""

    def delete_tree(self, key: str) -> None:
        """Remove everything below a folder."""
        with self._named(key):
            paths = self._fs.find(self.path(key))
            # not rm(recursive=True): it takes * and [ in names for patterns
            if self._protocol == "s3":
                self._delete_objects(paths)
                return
            for path in paths:
                self._fs.rm_file(path)

    def _delete_objects(self, paths: list[str]) -> None:
        bucket = self._root.partition("/")[0]
        for start in range(0, len(paths), _MOST_DELETES):
            objects = [{"Key": path.partition("/")[2]} for path in paths[start : start + _MOST_DELETES]]
            answer = self._fs.call_s3(
                "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
            )
            if errors := answer.get("Errors"):
                msg = f"{bucket}/{errors[0]['Key']}: cannot be deleted: {errors[0].get('Message')}"
                raise StorageError(msg)

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder, sorted."""
        start = self.path(prefix) + "/"
        with self._named(prefix):
            paths = self._fs.find(start.rstrip("/"))
        skip = len(self._root) + 1
        # other programs mark empty folders by objects whose names end with a slash
        found = (path for path in paths if path.startswith(start) and not path.endswith("/"))
        return iter(sorted(path[skip:] for path in found if f"/{TEMP_PREFIX}" not in path[skip - 1 :]))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """All files below a folder with their sizes and times, sorted, our temp files left out."""
        with self._named(prefix):
            found = entries_of(self._fs, self.path(prefix), root=self._root)
        return (entry for entry in found if f"/{TEMP_PREFIX}" not in f"/{entry.key}")

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders in a folder."""
        with self._named(prefix):
            try:
                entries = self._fs.ls(self.path(prefix), detail=True)
            except (FileNotFoundError, NotADirectoryError) as exc:
                if code_of(exc) == "NoSuchBucket":
                    raise
                return []
        found = {entry["name"].rstrip("/") for entry in entries if entry["type"] == "directory"}
        return sorted(name.rpartition("/")[2] for name in found - {self.path(prefix)})

    def names(self, prefix: str) -> list[str]:
        """The names of the files in a folder, our temp files left out."""
        return sorted(name for name, _ in self._children(prefix) if not name.startswith(TEMP_PREFIX))

    def stamps(self, prefix: str, *, deep: bool) -> list[str]:
        """The files in a folder with what the store tells of each, sorted."""
        with self._named(prefix):
            return stamps_of(self._fs, self._protocol, self.path(prefix), deep=deep)

    def _children(self, prefix: str) -> list[tuple[str, Told]]:
        with self._named(prefix):
            return list(files_in(self._fs, self._protocol, self.path(prefix)))

    def copy(self, key: str, path: str) -> None:
        """Put the same bytes at another path: a copy in the store, in parts where one would be too large."""
        with self._named(key):
            self._fs.cp_file(self.path(key), path)

    def move(self, key: str, to: str) -> None:
        """Give a file another key: a copy in the store, in parts where one would be too large, and a deletion."""
        with self._named(key):
            self._fs.cp_file(self.path(key), self.path(to))
            self._fs.rm_file(self.path(key))

    @contextmanager
    def writer(self, key: str) -> Iterator[DigestWriter]:
        """A file for writing that appears when the block ends well."""
        write = self._upload if self._protocol == "s3" else self._spool
        with write(key) as sink, DigestWriter(sink, place=self.url(key)) as writer:
            yield writer

    @contextmanager
    def _upload(self, key: str) -> Iterator[BinaryIO]:
        """One multipart upload, aborted when the block fails: s3fs alone would publish a torn file."""
        with self._writing(key):
            file = self._fs.open(self.path(key), "wb", block_size=_PART)
        try:
            yield cast(BinaryIO, Uploading(file, lambda: self._writing(key)))
            with self._writing(key):
                file.close()
        except BaseException:
            # else closing, even by the garbage collector, would complete the upload
            file.closed = True
            self._abort(key, file)
            raise

    def _abort(self, key: str, file: "AbstractBufferedFile") -> None:
        try:
            file.discard()
        except Exception as exc:
            # what the work failed with counts, and may well be why this fails
            log.warning("an open upload of %s is left behind: %s", self.url(key), explain(exc))

    @contextmanager
    def _spool(self, key: str) -> Iterator[BinaryIO]:
        """A local temp file, uploaded whole."""
        with tempfile.NamedTemporaryFile() as file:
            yield cast(BinaryIO, file)
            file.flush()
            with self._writing(key):
                self._fs.put_file(file.name, self.path(key))

    def sweep(self, prefix: str, older: timedelta) -> list[str]:
        """Abort uploads that began some time ago and never ended; remove temp files directly in the folder."""
        if self._protocol != "s3":
            return []
        before = datetime.now(UTC) - older
        bucket, _, start = self.path(prefix).partition("/")
        swept = []
        with self._named(prefix):
            for upload in self._fs.list_multipart_uploads(bucket):
                key = upload["Key"]
                if (not start or key.startswith(f"{start}/")) and upload["Initiated"] < before:
                    self._fs.abort_mpu(bucket, key, upload["UploadId"])
                    swept.append(f"{bucket}/{key}"[len(self._root) + 1 :])
            for name, entry in self._children(prefix):
                if name.startswith(TEMP_PREFIX) and cast(datetime, entry["LastModified"]) < before:
                    self._fs.rm_file(f"{self.path(prefix)}/{name}")
                    swept.append(f"{self.path(prefix)}/{name}"[len(self._root) + 1 :])
        return sorted(swept)

    @contextmanager
    def _named(self, key: str) -> Iterator[None]:
        """Turn what the store refuses into our error, with the URL in it; what is not found stays as it is."""
        try:
            yield
        except StorageError:
            raise
        except FileNotFoundError as exc:
            if code_of(exc) != "NoSuchBucket":
                raise
            raise StorageError(f"{self.url(key)}: {explain(exc)}") from exc
        except Exception as exc:
            if not isinstance(exc, OSError) and not is_of_client(exc):
                raise
            raise StorageError(f"{self.url(key)}: {explain(exc)}") from exc

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        """The same for a file that is written: what is not found then is the upload itself."""
        try:
            with self._named(key):
                yield
        except FileNotFoundError as exc:
            msg = f"the upload of {self.url(key)} was aborted by somebody else; nothing was changed, run it again"
            raise StorageError(msg) from exc
