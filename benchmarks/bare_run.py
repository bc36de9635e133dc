"""What a run of Dagster costs that does nothing, in a project that has nothing: python benchmarks/bare_run.py.

A run of ours cannot cost less. Seconds of a processor in the process of the run, from its start to its end.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from jobs import cpu_until_the_end  # noqa: E402

PORT = 3997
RUNS = 5
PROJECT = """
import os
import pathlib
import dagster as dg

@dg.op
def nothing():
    pathlib.Path(__file__).with_name(f"run-{os.getpid()}").touch()

@dg.job(executor_def=dg.in_process_executor)
def empty():
    nothing()

defs = dg.Definitions(jobs=[empty])
"""
LAUNCH = """mutation { launchRun(executionParams: {runConfigData: {}, selector: {
    repositoryLocationName: "bare", repositoryName: "__repository__", jobName: "empty"}}) { __typename } }"""


def main() -> None:
    """Measure, and print one number for each run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "bare.py").write_text(PROJECT)
        shutil.copy(ROOT / "dagster.yaml", folder)
        environment = {**os.environ, "DAGSTER_HOME": place, "PYTHONPATH": place}
        command = [sys.executable, "-m", "dagster", "dev", "-m", "bare", "-p", str(PORT)]
        server = subprocess.Popen(
            command,
            cwd=place,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: ask("{ version }"))
            # the daemon takes a little longer
            time.sleep(5)
            spent = [one(folder) for _ in range(RUNS)]
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(30)
    told = ", ".join(f"{seconds:.2f}" for seconds in spent)
    print(f"an empty run: {median(spent):.2f} s of a processor ({told})")


def one(folder: Path) -> float:
    """The seconds of a processor that one run takes."""
    ask(LAUNCH)
    note = eventually(lambda: next(folder.glob("run-*"), None))
    pid = int(note.name.partition("-")[2])
    spent = cpu_until_the_end(pid)
    note.unlink()
    return spent


def ask(query: str) -> object:
    """What Dagster answers, None while it does not."""
    data = json.dumps({"query": query}).encode()
    request = urllib.request.Request(
        f"http://localhost:{PORT}/graphql", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except OSError:
        return None


def eventually(look):
    """What `look` finds, as soon as it finds anything; within two minutes."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    sys.exit("Dagster did not do it within two minutes")


if __name__ == "__main__":
    main()
