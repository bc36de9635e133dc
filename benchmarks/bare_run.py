"""What a run of Dagster costs that does nothing, in a project that has nothing: python benchmarks/bare_run.py.

A run of ours cannot cost less. Seconds of a processor in the process of the run, from its start to its end, as Dagster
starts it by default and as it is forked with our settings; and the memory of the process that it is forked from.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

import yaml

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
    for is_forked in (False, True):
        measure(is_forked)


def measure(is_forked: bool) -> None:
    """Some runs, begun in one of the two ways."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "bare.py").write_text(PROJECT)
        settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
        if not is_forked:
            del settings["run_launcher"]
        (folder / "dagster.yaml").write_text(yaml.dump(settings))
        path = os.pathsep.join([place, str(ROOT)])
        environment = {**os.environ, "DAGSTER_HOME": place, "PYTHONPATH": path}
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
            memory = keeper_memory(server.pid)
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(30)
    told = ", ".join(f"{seconds:.2f}" for seconds in spent)
    how = f"forked, from a process of {memory:.0f} MB" if is_forked else "a new interpreter"
    print(f"an empty run, {how}: {median(spent):.2f} s of a processor ({told})")


def keeper_memory(session: int) -> float:
    """The megabytes that the process takes alone that runs are forked from; 0 when there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session
            if is_ours and "warm.keeper" in (folder / "cmdline").read_text():
                lines = (folder / "smaps_rollup").read_text().splitlines()
                return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
        except (FileNotFoundError, ProcessLookupError):
            continue
    return 0.0


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
