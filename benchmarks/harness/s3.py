"""The same work on a lake in a bucket, beside a lake on local disk."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.lakes import Lakes
from harness.measure import Cost, middle, run
from harness.programs import DATASET, Import, Make, Ours

_PATIENCE = 60.0
_ENV = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass(frozen=True)
class Beside:
    """What one piece of work costs with a bucket, and without."""

    title: str
    local: Cost
    remote: Cost


@dataclass
class Store:
    """An S3 server of moto, whose time is nobody's."""

    port: int
    buckets: int = 0

    @property
    def env(self) -> dict[str, str]:
        """How programs find it."""
        return {**_ENV, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def bucket(self) -> str:
        """A new bucket."""
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self._put(f"/{name}", b"")
        return name

    def upload(self, file: Path) -> str:
        """A file as an object of a new bucket."""
        path = f"{self.bucket()}/{file.name}"
        self._put(f"/{path}", file.read_bytes())
        return f"s3://{path}"

    def _put(self, path: str, data: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        connection.request("PUT", path, data, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"PUT {path}: {answer.status} {answer.reason}")
        connection.close()


@contextmanager
def store() -> Iterator[Store]:
    """A server that lives as long as the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(port)
            yield Store(port)
        finally:
            server.kill()


def _wait(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise OSError("moto's server does not come up; is moto[server] installed?")


class _Places:
    """Lakes on disk and in buckets, and what the work on them costs."""

    def __init__(self, ours: Ours, lakes: Lakes, found: Store) -> None:
        self._ours, self._lakes, self._store = ours, lakes, found
        self._env = {**ours.env(), **found.env}

    def local(self) -> str:
        """An empty dataset on disk."""
        folder = self._lakes.work / self._ours.name / "beside"
        shutil.rmtree(folder, ignore_errors=True)
        return self._created(str(folder))

    def remote(self) -> str:
        """An empty dataset in a bucket of its own."""
        return self._created(f"s3://{self._store.bucket()}/lake")

    def _created(self, lake: str) -> str:
        self._run(self._ours.create(lake))
        return lake

    def import_into(self, lake: str, file: str | None = None) -> Cost:
        """Import the generated file, or another one."""
        command = self._ours.command(Import(trusted=True), lake, self._lakes.inputs)
        return self._run(command if file is None else [*command[:-1], file])[0]

    def make(self, lake: str) -> Cost:
        """Make all exports."""
        return self._run(self._ours.command(Make(), lake, self._lakes.inputs))[0]

    def by_id(self, lake: str, reads: int) -> Cost:
        """The median read of one entity."""
        script = Path(__file__).resolve().parents[1] / "by_id.py"
        dated = str(self._lakes.inputs.dated)
        cost, out = self._run([str(self._ours.python), str(script), lake, DATASET, dated, str(reads)])
        found = json.loads(out)
        return Cost(found["cpu_ms"] / 1000, found["ms"] / 1000, cost.rss)

    def _run(self, command: list[str]) -> tuple[Cost, str]:
        return run(command, env=self._env, cwd=self._lakes.work)


def beside(ours: Ours, lakes: Lakes, *, repeat: int, reads: int = 50) -> list[Beside]:
    """Import, make and reads by id on local disk and in a bucket."""
    with store() as found:
        places = _Places(ours, lakes, found)
        file = found.upload(lakes.inputs.dated)
        costs: dict[str, list[tuple[Cost, Cost]]] = {}
        for _ in range(repeat):
            for title, pair in _round(places, file, reads).items():
                costs.setdefault(title, []).append(pair)
    return [
        Beside(title, middle([local for local, _ in pairs]), middle([remote for _, remote in pairs]))
        for title, pairs in costs.items()
    ]


def _round(places: _Places, file: str, reads: int) -> dict[str, tuple[Cost, Cost]]:
    elsewhere = places.import_into(places.local(), file)
    local, remote = places.local(), places.remote()
    imported = places.import_into(local), places.import_into(remote)
    return {
        "trusted import": imported,
        "trusted import of a file in a bucket, to local disk": (imported[0], elsewhere),
        "make, everything": (places.make(local), places.make(remote)),
        "make, fresh": (places.make(local), places.make(remote)),
        "entity by id, warm": (places.by_id(local, reads), places.by_id(remote, reads)),
    }
