"""The command as a process: pipes, signals, exit codes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.calling import Lakehouse, environment, run_process
from tests.factories import company, write_lines

LAKEHOUSE = ("-m", "lakehouse_assets.cli")


def test_entities_come_and_go_through_pipes(acme: Lakehouse, folder: Path) -> None:
    out = run_process(*LAKEHOUSE, "query", "-d", "acme")
    assert out.returncode == 0
    assert out.stderr == b""
    acme("dataset", "create", "beta")
    taken = run_process(*LAKEHOUSE, "import", "-d", "beta", "-", stdin=out.stdout)
    assert taken.returncode == 0
    assert taken.stdout.startswith(b"imported 3 entities into beta")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("status", "-d", "acme"), 0),
        (("get", "-d", "acme", "nobody"), 1),
        (("get", "-d", "nobody", "x"), 1),
        (("get",), 2),
        (("import", "-d", "acme", "bad.json"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_the_exit_code_is_that_of_the_process(
    acme: Lakehouse, folder: Path, args: tuple[str, ...], code: int
) -> None:
    (folder / "bad.json").write_text("no json\n")
    done = run_process(*LAKEHOUSE, *args)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_reader_that_has_enough_is_no_failure(acme: Lakehouse, folder: Path) -> None:
    many = write_lines(
        folder / "many.json", (company(f"m{number}", name=["x" * 500]) for number in range(2000))
    )
    acme("import", "-d", "acme", many)
    command = [sys.executable, *LAKEHOUSE, "query", "-d", "acme"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"id":"c1"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_full_disk_is_an_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("wb") as sink:
        command = [sys.executable, *LAKEHOUSE, "--version"]
        done = subprocess.run(command, stdout=sink, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == 1
    assert done.stderr == b"error: cannot write the result: No space left on device\n"


def test_an_interrupted_import_leaves_nothing(acme: Lakehouse, folder: Path) -> None:
    before = acme("status", "-d", "acme", "--json").json
    command = [sys.executable, *LAKEHOUSE, "import", "-d", "acme", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        jobs = folder / "data" / "acme" / "jobs" / "runs" / "ImportJob"
        records = len(list(jobs.iterdir()))
        while len(list(jobs.iterdir())) == records:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == (b"", b"interrupted\n")
    after = acme("status", "-d", "acme", "--json").json
    assert after["content_version"] == before["content_version"]
    assert after["lease"] is None


def test_output_is_utf8_whatever_the_locale_says(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme", "--title", "Größe €")
    done = run_process(*LAKEHOUSE, "dataset", "ls", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert "Größe €" in done.stdout.decode()
