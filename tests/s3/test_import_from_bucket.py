"""Files that lie in a bucket are imported like files on disk."""

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.cli import main
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound, StorageError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.statements.inputs import file_source
from lakehouse_assets.storage.location import Location
from tests.factories import company, make_dataset, person, values_of, write_lines
from tests.s3.keys import WRONG
from tests.s3.store import Bucket

MB = 1 << 20


@pytest.fixture
def acme(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset on local disk, and a bucket that the environment has the keys of."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return make_dataset(tmp_path / "lake")


@pytest.fixture
def put(bucket: Bucket, tmp_path: Path) -> Callable[..., str]:
    """Entities in an object of this name."""

    def write(name: str, *entities: dict[str, object]) -> str:
        data = write_lines(tmp_path / "lines", entities or [company("c1"), person("p1")]).read_bytes()
        data = gzip.compress(data) if name.endswith(".gz") else data
        bucket.location.write(name, bz2.compress(data) if name.endswith(".bz2") else data)
        return f"{bucket.uri}/{name}"

    return write


@pytest.mark.parametrize("name", ["a.ftm.json", "a.ftm.json.gz", "b/ä b#c+%20.json.bz2", "no-suffix"])
def test_entities_are_imported_by_the_usual_variables(
    acme: Dataset, put: Callable[..., str], name: str
) -> None:
    file = put(name)
    job = acme.import_files([file])
    assert (job.entities, job.errors, job.files) == (2, 0, [file])
    assert values_of(acme) == [("c1", "name", "Acme Inc."), ("p1", "name", "Jane Doe")]


def test_an_object_right_in_the_bucket_is_found(acme: Dataset, bucket: Bucket, tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "lines", [company("c1")]).read_bytes()
    Location(f"s3://{bucket.name}", bucket.options).write("top.json", lines)
    assert acme.import_files([f"s3://{bucket.name}/top.json"]).entities == 1


@pytest.mark.parametrize("name", ["exports/statements.csv", "statements.parquet"])
def test_statements_of_a_bucket_are_imported_beside_a_file_on_disk(
    acme: Dataset, bucket: Bucket, tmp_path: Path, name: str
) -> None:
    other = make_dataset(tmp_path / "other")
    other.import_files([write_lines(tmp_path / "x.json", [company("c1"), person("p1")])])
    parquet = io.BytesIO()
    other.statements_parquet(parquet)
    data = parquet.getvalue() if name.endswith("parquet") else b"".join(other.statements_csv())
    bucket.location.write(name, data)
    job = acme.import_files([f"{bucket.uri}/{name}", write_lines(tmp_path / "y.json", [company("c2")])])
    assert job.errors == 0
    assert [value[0] for value in values_of(acme)] == ["c1", "c2", "p1"]


def test_a_lake_on_s3_imports_with_its_own_credentials(bucket: Bucket, put: Callable[..., str]) -> None:
    file = put("input/a.json")
    dataset = bucket.lake.create_dataset("acme")
    assert dataset.import_files([file]).entities == 2


def test_the_command_takes_addresses_and_says_what_is_wrong_with_them(
    acme: Dataset, put: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    lake = str(acme.lake.location.path)
    assert main(["--uri", lake, "import", "-d", "acme", put("a.json")]) == 0
    assert "imported 2 entities into acme" in capsys.readouterr().out
    missing = put("a.json").replace("a.json", "b.json")
    assert main(["--uri", lake, "import", "-d", "acme", missing]) == 1
    assert f"{missing} does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda uri: uri + ".missing", NotFound, "does not exist; name a file"),
        (lambda uri: uri.rpartition("/")[0], NotFound, "does not exist; name a file, not a folder"),
        (lambda uri: uri.rpartition("/")[0] + "/", InvalidData, "not a key"),
        (lambda uri: uri + ".zip", InvalidData, "import takes entities as JSON lines"),
        (lambda uri: "s3://no-such-bucket/a.json", StorageError, "make the bucket first"),
        (lambda uri: "https://example.org/a.json", InvalidData, "pipe it in"),
        (lambda uri: "nothing://a/b.json", InvalidData, "cannot be opened"),
        (lambda uri: uri.replace("s3://", "s3://key:secret@"), InvalidData, "credentials do not belong"),
    ],
)
def test_what_cannot_be_found_is_told_before_anything_is_written(
    acme: Dataset,
    put: Callable[..., str],
    change: Callable[[str], str],
    kind: type[LakehouseError],
    words: str,
) -> None:
    with pytest.raises(kind, match=words):
        acme.import_files([put("folder/a.json"), change(put("folder/a.json"))])
    assert values_of(acme) == []


def test_a_wrong_key_is_told(put: Callable[..., str], bucket: Bucket) -> None:
    with pytest.raises(StorageError, match="check AWS_ACCESS_KEY_ID"):
        file_source(put("a.json"), {**bucket.options, "key": WRONG})


def test_a_bucket_that_fails_in_the_middle_of_a_file_leaves_nothing_imported(
    acme: Dataset, put: Callable[..., str], bucket: Bucket
) -> None:
    lines = [company(f"c{number}", notes=["x" * MB]) for number in range(20)]
    file = put("a.json", *lines)
    bucket.rule(methods=["GET"], contains="a.json", after=1, status=500, code="InternalError")
    with pytest.raises(StorageError, match=r"s3://.*/a\.json: .*the store is overloaded; try again later"):
        acme.import_files([file])
    assert values_of(acme) == []
    bucket.heal()
    assert acme.import_files([file]).entities == 20


def test_an_object_that_is_replaced_while_it_is_read_is_not_half_imported(
    acme: Dataset, put: Callable[..., str], bucket: Bucket
) -> None:
    file = put("a.json", *(company(f"c{number}", notes=["x" * MB]) for number in range(20)))

    def replace(*_: object) -> None:
        put("a.json", *(company(f"d{number}", notes=["y" * MB]) for number in range(20)))

    with pytest.raises(StorageError, match=r"s3://.*/a\.json"):
        acme.import_files([file], progress=replace)
    assert values_of(acme) == []
    assert Lake(acme.lake.uri).dataset("acme").import_files([file]).entities == 20
