"""A Postgres server of the tests' own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
_SERVES_WITHIN = 60.0
_PASSWORD = "geheim"


@dataclass(frozen=True)
class Postgres:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        return f"postgresql://dagster:{_PASSWORD}@127.0.0.1:{self.port}/postgres"

    def environment(self) -> dict[str, str]:
        """The variables that examples/production/dagster.yaml names."""
        return {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.port),
            "DAGSTER_POSTGRES_USER": "dagster",
            "DAGSTER_POSTGRES_PASSWORD": _PASSWORD,
            "DAGSTER_POSTGRES_DB": "postgres",
        }


def postgres_programs() -> Path | None:
    """The folder of Postgres' own programs; None where it is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next((folder / "bin" for folder in sorted(DEBIAN.glob("*"), reverse=True)), None)


@contextmanager
def running_postgres(programs: Path) -> Iterator[Postgres]:
    """A server that lives as long as the block."""
    # it refuses to be run by root, and has to get at its folder
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user is not None:
        shutil.chown(folder, user)
    data, secret = folder / "data", folder / "password"
    secret.write_text(_PASSWORD)
    secret.chmod(0o644)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "dagster", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync"],
        user=user, cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""],
            user=user, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        found = Postgres(port)
        _wait(found.url, server, folder / "log")
        yield found
    finally:
        # ends all connections, and then itself
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import psycopg2

    until = time.monotonic() + _SERVES_WITHIN
    while True:
        try:
            psycopg2.connect(url).close()
        except psycopg2.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"postgres does not serve: {log.read_text()}") from None
            time.sleep(0.1)
        else:
            return
