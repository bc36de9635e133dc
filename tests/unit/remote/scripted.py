"""A web server that answers GraphQL like a Dagster, as far as a test says."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

Answer = dict[str, Any]

REPOSITORY = {"name": "__repository__", "location": {"name": "here"}, "jobs": [{"name": "make"}]}
FOUND: Answer = {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [REPOSITORY]}}
ADDED: Answer = {"addDynamicPartition": {"__typename": "DuplicateDynamicPartitionError"}}
LAUNCHED: Answer = {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}}}


def seen(status: str, *events: Answer, **tags: str) -> Answer:
    """A run in a state, with what it said since the last look."""
    listed = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
    return {
        "runOrError": {"__typename": "Run", "status": status, "tags": listed},
        "logsForRun": {
            "__typename": "EventConnection",
            "cursor": "1",
            "hasMore": False,
            "events": list(events),
        },
    }


def step_failure(message: str, error: str) -> Answer:
    """The failure of a step, as an asset of ours tells it."""
    entries = [{"label": "error", "text": error}]
    explained = {"description": message, "metadataEntries": entries}
    return {"__typename": "ExecutionStepFailureEvent", "message": "a step", "failureMetadata": explained}


class ScriptedDagster(http.server.ThreadingHTTPServer):
    """Answers each kind of question, named by a word in it, by the next of its answers; the last one stays."""

    daemon_threads = True

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        usual: dict[str, Answer | list[Answer]] = {
            "repositoriesOrError": FOUND,
            "addDynamicPartition": ADDED,
            "launchRun": LAUNCHED,
        }
        self._answers = {word: _each(given) for word, given in {**usual, **answers}.items()}
        self.status = 200
        self.body: bytes | None = None
        self.asked: list[Answer] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def launched(self) -> list[Answer]:
        """The parameters of each launch."""
        return [each["variables"]["params"] for each in self.asked if "launchRun" in each["query"]]

    def answer(self, question: Answer) -> bytes:
        self.asked.append(question)
        if self.body is not None:
            return self.body
        for word, given in self._answers.items():
            if word in question["query"]:
                return json.dumps({"data": next(given)}).encode()
        return json.dumps({"errors": [{"message": "not in the script"}]}).encode()

    def __enter__(self) -> "ScriptedDagster":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ScriptedDagster

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = self.server.answer({**question, "path": self.path, "login": self.headers.get("Authorization")})
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _each(given: Answer | list[Answer]) -> Iterator[Answer]:
    answers = given if isinstance(given, list) else [given]
    yield from answers
    while True:
        yield answers[-1]
