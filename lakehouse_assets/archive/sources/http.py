"""Files of a web server that lists its folders."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from lakehouse_assets.archive.sources.base import (
    Found,
    LeftOut,
    OpenFile,
    SourceChanged,
    SourceFile,
    Unreadable,
    file_at,
    is_settled,
    nanoseconds,
    never,
    shown,
)
from lakehouse_assets.archive.sources.links import Listing, read_listing
from lakehouse_assets.archive.sources.resuming import ResumingStream
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound, StorageError

# requests takes 0.2 s to import: only when a server is crawled
if TYPE_CHECKING:
    from requests import Response, Session

THREADS = 4
"""Servers of others are asked for few files at once."""

# what follows them is a path, which may have an @ in it
_WITHOUT_HOSTS = ("file", "local", "memory", "zip", "tar")
_CONNECT_SECONDS = 10
_TRIES = 3
_BUSY = (429, 500, 502, 503, 504)
# a listing of some hundred thousand files
_LARGEST_PAGE = 256 << 20
# what was read faster than that was hardly replaced meanwhile, and need not be asked about again
_SOON = 1.0
_AHEAD = 1 << 20
# a time of last change is told in whole seconds
_TICK = 2.0
# a server that follows links may have folders in themselves, without end
_DEEPEST = 100
_RING = 4


class HttpSource:
    """
    The files below the page of a folder, or a single file.

    A listing is any page with links; what they lead to below the page's own address is taken, whatever program made
    the page. Nothing else is followed.
    """

    threads = THREADS

    def __init__(self, uri: str, *, stall_seconds: float) -> None:
        """The files at an http or https URL; a name and a password in it are sent, and shown nowhere."""
        parts = urlsplit(uri)
        if not parts.hostname or parts.query or parts.fragment:
            msg = f"{masked(uri)} is no address of a folder; write https://host/folder/, without ? and #"
            raise InvalidData(msg)
        self.uri = masked(uri)
        self._url = uri if parts.path else f"{uri}/"
        self._timeout = (_CONNECT_SECONDS, stall_seconds)

    @cached_property
    def _session(self) -> "Session":
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import Retry

        retries = Retry(
            total=_TRIES - 1,
            backoff_factor=0.2,
            status_forcelist=_BUSY,
            allowed_methods=("GET", "HEAD"),
            raise_on_status=False,
            retry_after_max=int(self._timeout[1]),
        )
        session = requests.Session()
        # what is compressed on the way would have another size than the file
        session.headers["Accept-Encoding"] = "identity"
        adapter = HTTPAdapter(pool_connections=THREADS, pool_maxsize=2 * THREADS, max_retries=retries)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def files(self) -> Iterator[Found]:
        """All files, folder by folder; NotFound or StorageError when the first page cannot be had."""
        page = self._page(self._url)
        if page is None:
            yield self._single()
            return
        for found in self._pages(page):
            if isinstance(found, Listing):
                yield from _files(found, page.url)
            else:
                yield found

    def states(self) -> Iterator[str]:
        """What tells whether anything may be new without asking for each file: the pages, or the state of the one."""
        page = self._page(self._url)
        if page is None:
            single = self._single()
            yield str(self.look(single).state if isinstance(single, SourceFile) else single)
            return
        for found in self._pages(page):
            yield f"{found.url} {found.digest}" if isinstance(found, Listing) else str(found)

    def _single(self) -> SourceFile | Unreadable:
        return file_at(unquote(self._url.rpartition("/")[2], errors="surrogateescape"), place=self._url)

    def _pages(self, page: Listing) -> Iterator[Listing | Unreadable]:
        """The page of a folder, and those of all folders below it."""
        base = page.url
        yield page
        seen = {base}
        waiting: list[tuple[str, tuple[int, ...]]] = [(folder, (page.names,)) for folder in page.folders]
        while waiting:
            url, above = waiting.pop()
            if url in seen:
                continue
            seen.add(url)
            path = _below(url, base)
            try:
                found = self._page(url)
            except LakehouseError as exc:
                yield Unreadable(shown(path), str(exc), is_folder=True)
                continue
            if found is None or not found.url.startswith(base):
                yield Unreadable(shown(path), "it is no page that lists a folder", is_folder=True)
            elif len(above) > _DEEPEST or above.count(found.names) >= _RING:
                yield Unreadable(shown(path), "the folders seem to lead in a ring", is_folder=True)
            else:
                yield found
                waiting += [(folder, (*above, found.names)) for folder in found.folders]

    def _page(self, url: str) -> Listing | None:
        """The links of a folder's page, None when it is no such page but a file."""
        with self._asked("GET", url) as answer:
            is_folder = urlsplit(answer.url).path.endswith("/")
            if not is_folder or "html" not in answer.headers.get("Content-Type", ""):
                return None
            with _told(url):
                body = answer.raw.read(_LARGEST_PAGE + 1)
        if len(body) > _LARGEST_PAGE:
            msg = f"the page is larger than {_LARGEST_PAGE >> 20} MB; crawl the folders below it one by one"
            raise StorageError(msg)
        return read_listing(_with_login(answer.url, url), body, answer.encoding)

    def look(self, file: SourceFile) -> SourceFile:
        """The file with the state that its server tells without sending it."""
        with self._asked("HEAD", cast(str, file.place)) as answer:
            return _state(file, answer)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """The file as its server sends it; of one that breaks off the rest is asked for, if it is still the same."""
        url = cast(str, file.place)
        with self._asked("GET", url) as answer:
            now = _state(file, answer)
            validator = _validator(answer)

            def reopen(offset: int) -> _Body:
                wanted = {"Range": f"bytes={offset}-", "If-Range": validator or ""} if offset else {}
                again = self._ask("GET", url, wanted)
                is_same = again.status_code == 206 if offset else _validator(again) == validator
                if not is_same:
                    again.close()
                    msg = "the connection broke, and the server has another file by now; crawl again"
                    raise SourceChanged(msg)
                return _Body(again)

            stream = ResumingStream(
                _Body(answer),
                name=masked(url),
                reopen=reopen if validator else None,
                breaks=_breaks(),
                told=lambda exc: _trouble(url, exc),
            )
            asked_at = time.monotonic()

            def has_changed() -> bool:
                return time.monotonic() - asked_at > _SOON and self.look(file).state != now.state

            said = answer.headers.get("Content-Type", "").partition(";")[0].strip()
            with io.BufferedReader(stream, _AHEAD) as buffered:
                known = has_changed if now.is_known else never
                settled = now.tag is not None or is_settled(now.changed, tick=_TICK)
                yield OpenFile(now, cast(BinaryIO, buffered), None, said or None, known, settled)

    @contextmanager
    def _asked(self, method: str, url: str) -> Iterator["Response"]:
        answer = self._ask(method, url, {})
        try:
            yield answer
        finally:
            answer.close()

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> "Response":
        """An answer that is no refusal."""
        with _told(url):
            answer = self._session.request(
                method, url, headers=headers, stream=True, timeout=self._timeout, allow_redirects=True
            )
        code = answer.status_code
        if code < 400:
            return answer
        answer.close()
        msg = f"{masked(url)}: the server answers {code} {answer.reason}"
        if code in (404, 410):
            raise NotFound(msg)
        raise StorageError(f"{msg}{'; see who may read it' if code in (401, 403) else ''}")


class _Body:
    """The bytes of an answer."""

    def __init__(self, answer: "Response") -> None:
        self._answer = answer

    def read(self, size: int, /) -> bytes:
        return cast(bytes, self._answer.raw.read(size))

    def close(self) -> None:
        self._answer.close()


def masked(uri: str) -> str:
    """
    An address without names and passwords in it, also a chained one.

    Example:
        >>> masked("zip://::https://me:secret@host/a.zip")
        'zip://::https://host/a.zip'
    """
    return "::".join(_masked(part) for part in uri.split("::")) if "@" in uri else uri


def _masked(uri: str) -> str:
    protocol, found, rest = uri.partition("://")
    if not found or protocol in _WITHOUT_HOSTS:
        return uri
    host, slash, path = rest.partition("/")
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path}"


def _with_login(url: str, asked: str) -> str:
    """Where an answer came from, with the name and password that it was asked with if it is the same host."""
    login, at, host = urlsplit(asked).netloc.rpartition("@")
    parts = urlsplit(url)
    same = at and parts.netloc == host
    return urlunsplit(parts._replace(netloc=f"{login}@{host}")) if same else url


def _below(url: str, base: str) -> str:
    return unquote(url[len(base) :], errors="surrogateescape")


def _files(page: Listing, base: str) -> Iterator[Found]:
    yield from (LeftOut(shown(_below(url, base)), "query") for url in page.queries)
    yield from (file_at(_below(url, base), place=url) for url in page.files)


def _state(file: SourceFile, answer: "Response") -> SourceFile:
    """The file with what the headers of an answer tell."""
    headers = answer.headers
    size, at = headers.get("Content-Length", ""), headers.get("Last-Modified")
    try:
        changed = nanoseconds(parsedate_to_datetime(at)) if at else None
    except (ValueError, OverflowError):
        changed = None
    return file._replace(
        size=int(size) if size.isdecimal() else None, changed=changed, tag=headers.get("ETag")
    )


def _validator(answer: "Response") -> str | None:
    """By what a server can tell whether it still has the same file; a weak tag will not do."""
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return answer.headers.get("Last-Modified")


def _breaks() -> tuple[type[Exception], ...]:
    from urllib3.exceptions import HTTPError

    return (HTTPError, OSError)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what the client raises into our error."""
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (RequestException, HTTPError) as exc:
        raise _trouble(url, exc) from exc


def _trouble(url: str, exc: Exception) -> StorageError:
    """What is the matter with a connection, with the address and not the password in it."""
    from urllib3.exceptions import IncompleteRead, ReadTimeoutError

    chain = (exc, exc.__cause__, exc.__context__, *exc.args)
    if any(isinstance(one, ReadTimeoutError) or "Read timed out" in str(one) for one in chain):
        reason = "nothing came for too long (LAKEHOUSE_CRAWL_STALL_SECONDS)"
    elif any(isinstance(one, IncompleteRead) for one in chain):
        reason = "the connection broke before the end"
    else:
        reason = f"the server cannot be reached ({type(exc).__name__})"
    return StorageError(f"{masked(url)}: {reason}; try again later")
