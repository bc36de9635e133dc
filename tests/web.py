"""A web server for tests: it lists a folder and sends its files, and goes wrong where it is told to."""

import http.server
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Rule = Callable[["Handler"], None]
"""Answers a request in place of the server."""


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "WebServer"

    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def _answer(self, usual: Callable[[], None]) -> None:
        self.server.requests.append((self.command, self.path))
        rule = self.server.rules.get(self.path)
        if rule is not None:
            rule(self)
        else:
            usual()

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class WebServer(http.server.ThreadingHTTPServer):
    """Serves a folder on a free port, from the `with` on."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))  # type: ignore[arg-type]
        self.rules: dict[str, Rule] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def asked(self, method: str) -> list[str]:
        """The paths that were asked for in this way, folders left out."""
        return [path for used, path in self.requests if used == method and not path.endswith("/")]

    def __enter__(self) -> "WebServer":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none; it would stand among what the program printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def refuses(status: int) -> Rule:
    """Answers with an error."""
    return lambda handler: handler.reply(status, b"no")


def sends(body: bytes, **headers: str) -> Rule:
    """Answers with these bytes."""
    return lambda handler: handler.reply(200, body, **headers)


def stalls_after(body: bytes, seconds: float) -> Rule:
    """Sends some bytes of a larger file, and then nothing for a while."""

    def rule(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 1000))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        threading.Event().wait(seconds)
        handler.close_connection = True

    return rule
