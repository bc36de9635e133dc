"""Buckets for tests, and looking into them without the program under test."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.storage.location import Location
from tests.factories import company, person, write_lines
from tests.s3.keys import KEY, SECRET

ROOT = Path(__file__).parents[2]


class Server:
    """An S3 API in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.s3.server"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """A request without credentials, which moto takes."""
        request = urllib.request.Request(f"{self.url}/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def bucket(self, name: str) -> "Bucket":
        """A new bucket."""
        self.ask("PUT", name, b"")
        return Bucket(self, name)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class Bucket:
    """A bucket with an empty lake."""

    server: Server
    name: str

    @property
    def uri(self) -> str:
        return f"s3://{self.name}/lake"

    @property
    def options(self) -> dict[str, str]:
        return {
            "key": KEY,
            "secret": SECRET,
            "endpoint_url": self.server.url,
            "region": "us-east-1",
            "timeout": "5",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The same by the usual variables."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_REGION": "us-east-1",
        }

    @property
    def location(self) -> Location:
        return Location(self.uri, self.options)

    @property
    def lake(self) -> Lake:
        return Lake(self.uri, self.options)

    def rule(self, **rule: Any) -> None:
        """From now on, this and nothing else goes wrong."""
        self.server.ask("PUT", "_rules", json.dumps([{"bucket": self.name, **rule}]).encode())

    def fill(self, keys: list[str]) -> None:
        """Empty objects of these names in the lake."""
        named = {"bucket": self.name, "keys": [f"lake/{key}" for key in keys]}
        self.server.ask("PUT", "_fill", json.dumps(named).encode())

    def save(self) -> None:
        """Keep in mind what is there now."""
        self.server.ask("PUT", "_save", json.dumps({"bucket": self.name}).encode())

    def restore(self) -> None:
        """Bring back what was there then."""
        self.server.ask("PUT", "_restore", json.dumps({"bucket": self.name}).encode())

    def heal(self) -> None:
        """From now on, nothing goes wrong."""
        self.server.ask("PUT", "_rules", b"[]")

    def uploads(self) -> list[str]:
        """The keys of all multipart uploads that were begun and neither completed nor aborted."""
        return self._keys("uploads")

    def keys(self) -> list[str]:
        """The keys of all objects."""
        return self._keys("list-type=2")

    def _keys(self, query: str) -> list[str]:
        tree = ElementTree.fromstring(self.server.ask("GET", f"{self.name}?{query}"))
        return sorted(str(node.text) for node in tree.iter() if node.tag.rpartition("}")[2] == "Key")


def fill(bucket: Bucket, folder: Path) -> Dataset:
    """Two entities, and exports of them."""
    dataset = bucket.lake.create_dataset("acme")
    dataset.import_files([write_lines(folder / "entities.ftm.json", [company("c1"), person("p1")])])
    dataset.make()
    return dataset
