"""GraphQL over HTTP."""

import logging
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lakehouse_assets.errors import InvalidData, RemoteError, Unreachable

log = logging.getLogger(__name__)

Answer = dict[str, Any]
"""What a GraphQL query gives: a document whose form the query itself says."""

_SETTING = "LAKEHOUSE_DAGSTER_URL"
_LOCAL = f"or unset {_SETTING} to work in this process"
# to connect, and to wait for the next byte: a code location that is being loaded answers late
_TIMEOUTS = (10.0, 90.0)
_FORBIDDEN = (401, 403, 407)


class Client:
    """
    Asks a Dagster web server.

    Example:
        >>> Client("http://localhost:3000").ask("query { version }")
        {'version': '1.13.27'}
    """

    def __init__(self, url: str) -> None:
        """The server at an address like `https://user:password@host/dagster`; InvalidData when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"{_SETTING}={url!r} is no address of a Dagster; write it like http://host:3000"
            raise InvalidData(msg)
        path = re.sub(r"/(graphql)?/*$", "", parts.path)
        self._endpoint = urlunsplit((parts.scheme, parts.netloc, f"{path}/graphql", "", ""))
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, path, "", ""))

    def ask(self, query: str, **variables: object) -> Answer:
        """The data that a query gives; RemoteError when there is no answer, or a refusal."""
        # takes a tenth of a second to load
        import orjson
        import requests

        try:
            answer = requests.post(
                self._endpoint,
                data=orjson.dumps({"query": query, "variables": variables}),
                headers={"Content-Type": "application/json"},
                timeout=_TIMEOUTS,
                # a redirect would turn the question into the request of a page
                allow_redirects=False,
            )
        except requests.RequestException as exc:
            msg = f"the Dagster at {self.url} is out of reach ({_reason(exc)}); start it, {_LOCAL}"
            raise Unreachable(msg, url=self.url) from None
        return self._data(answer.status_code, answer.content)

    def _data(self, status: int, content: bytes) -> Answer:
        import orjson

        if status in _FORBIDDEN:
            msg = (
                f"the Dagster at {self.url} refuses (HTTP {status}); give a name and a password that it knows: "
                f"{_SETTING}=https://NAME:PASSWORD@HOST"
            )
            raise RemoteError(msg, url=self.url)
        if status in (502, 503, 504):
            msg = f"the Dagster at {self.url} is out of reach (HTTP {status}); start it, {_LOCAL}"
            raise Unreachable(msg, url=self.url)
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or not {"data", "errors"} & found.keys():
            msg = f"what answers at {self.url} is no Dagster (HTTP {status}); correct {_SETTING}, {_LOCAL}"
            raise RemoteError(msg, url=self.url)
        if found.get("errors"):
            said = "; ".join(str(error.get("message")) for error in found["errors"])
            msg = f"the Dagster at {self.url} cannot answer: {said}"
            raise RemoteError(msg, url=self.url)
        data: Answer = found["data"]
        return data


def _reason(exc: Exception) -> str:
    """The innermost cause: `Connection refused`."""
    cause: BaseException = exc
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
