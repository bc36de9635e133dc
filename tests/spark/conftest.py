"""Spark on local disk and on S3: skipped where the packages for it are not installed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.s3.store import ROOT, Server

REASON = "needs the packages of the extra `spark` and pysail, a server of Spark Connect without a JVM"


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def spark(s3: Server) -> Iterator[Any]:
    """A session with a server that can write to local disk and to S3."""
    pytest.importorskip("pysail", reason=REASON)
    sql = pytest.importorskip("pyspark.sql", reason=REASON)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.spark.sail"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **s3.bucket("spark").environment, "AWS_ALLOW_HTTP": "true"},
    )
    assert process.stdout is not None
    if not hasattr(sys.modules["__main__"], "__file__"):
        # as in a worker of xdist: Spark would take it for its own doctests
        sys.modules["__main__"].__file__ = __file__
    session = sql.SparkSession.builder.remote(
        f"sc://127.0.0.1:{int(process.stdout.readline())}"
    ).getOrCreate()
    yield session
    session.stop()
    process.kill()
    process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Local disk, which the server sees, too."""
    return tmp_path / "check points"
