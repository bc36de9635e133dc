"""
An S3 API of moto in a process of its own, which can be told to fail: `server.py` prints its port.

Rules are put to `/_rules` as JSON: a list of objects, each of which says which requests it means (`bucket`, `methods`,
`contains`: a part of path and query), how many of them to let pass (`after`), for how many it holds (`times`), and
what becomes of them: an error (`status`, `code`), `hang` for so many seconds, `lose` the answer after doing what was
asked, `ignore` a header, or `die`, the whole server at once.
"""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import create_backend_app
from werkzeug.serving import make_server

from tests.s3.keys import WRONG

Answer = Iterable[bytes]


class FaultyS3:
    """moto's application, behind rules."""

    def __init__(self) -> None:
        self._app = create_backend_app("s3")
        self._rules: list[dict[str, Any]] = []
        # moto looks and then writes: conditional requests need it to do one thing at a time
        self._writing = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        if environ["PATH_INFO"] in _ORDERS or environ["PATH_INFO"] == "/_rules":
            wanted = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            if environ["PATH_INFO"] == "/_rules":
                self._rules = wanted
            else:
                _ORDERS[environ["PATH_INFO"]](**wanted)
            return _reply(environ, start, 200, "OK")
        # all of it, and before the lock: a client that stalls must hold nobody else up
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if f"Credential={WRONG}" in environ.get("HTTP_AUTHORIZATION", ""):
            return _reply(environ, start, 403, "InvalidAccessKeyId")
        rule = self._rule(environ)
        if rule is not None and rule.get("die"):
            os._exit(1)
        if rule is not None and "ignore" in rule:
            environ.pop(f"HTTP_{rule['ignore'].upper().replace('-', '_')}", None)
            rule = None
        if rule is not None and "hang" in rule:
            time.sleep(rule["hang"])
        if rule is not None and not rule.get("lose"):
            return _reply(environ, start, rule.get("status", 503), rule.get("code", "SlowDown"))
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._app(environ, start)
        with self._writing:
            done = self._app(environ, start if rule is None else lambda *_: None)
        return done if rule is None else _reply(environ, start, 500, "InternalError")

    def _rule(self, environ: dict[str, Any]) -> dict[str, Any] | None:
        """The first rule that means this request, and now."""
        asked = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        for rule in self._rules:
            if (
                asked.startswith(f"/{rule['bucket']}")
                and environ["REQUEST_METHOD"] in rule.get("methods", [environ["REQUEST_METHOD"]])
                and rule.get("contains", "") in asked
            ):
                rule["seen"] = rule.get("seen", 0) + 1
                number = rule["seen"] - rule.get("after", 0)
                if 0 < number <= rule.get("times", sys.maxsize):
                    return rule
        return None


def _fill(bucket: str, keys: list[str]) -> None:
    """Many empty objects at once: thousands of requests take moto long."""
    for key in keys:
        _BACKEND.put_object(bucket, key, b"")


def _save(bucket: str) -> None:
    """Keep in mind what is in a bucket."""
    _SAVED[bucket] = {key: found.value for key, found in _BACKEND.buckets[bucket].keys.items()}


def _restore(bucket: str) -> None:
    """Bring back what was in a bucket, and nothing else."""
    saved, place = _SAVED[bucket], _BACKEND.buckets[bucket]
    place.multiparts.clear()
    for key in [key for key in place.keys if key not in saved]:
        _BACKEND.delete_object(bucket, key)
    for key, data in saved.items():
        _BACKEND.put_object(bucket, key, data)


_BACKEND = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
_SAVED: dict[str, dict[str, bytes]] = {}
_ORDERS: dict[str, Callable[..., None]] = {"/_fill": _fill, "/_save": _save, "/_restore": _restore}


def _reply(environ: dict[str, Any], start: Callable[..., Any], status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>refused by rule: {code}</Message></Error>".encode()
    start(f"{status} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def main() -> None:
    server = make_server("127.0.0.1", 0, FaultyS3(), threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
