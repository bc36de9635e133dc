"""Measure the rows: ours and the rival's in turn, A B A B."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.lakes import Lakes
from harness.measure import CommandFailed, Cost, middle, run
from harness.programs import DATASET, Floor, Make, Ours, Program, Step, execute
from harness.rows import MemoryRow, Row

log = logging.getLogger(__name__)

BY_ID_LIMIT_MS = 15.0
BY_ID_PEER_MS = 255.0  # as measured once in the peer's own process; it is only run as a command here
DIFFERENCE_LIMIT = 3.0
STARTUP_LIMITS = {"lakehouse --help": 0.7, "import lakehouse_assets.definitions": 3.0}
FRESH_MAKE_LIMIT = 0.3
STATUS_LIMIT = 60.0
MOST_GROWTH = 1.3
"""How many times faster than the data time may grow."""


@dataclass(frozen=True)
class Measured:
    """The runs of one program on one row."""

    program: str
    cpu: float
    """Median CPU seconds less `start`."""
    start: float
    """Median CPU seconds of the same commands on a lake of one entity."""
    cpu_with_start: float
    rss: int
    runs: tuple[Cost, ...]


@dataclass(frozen=True)
class Comparison:
    """One row with the figures of every program, or why there are none."""

    title: str
    wanted: float
    measured: dict[str, Measured]
    ratio: float | None = None
    """The rival's CPU seconds over ours."""
    ratio_with_start: float | None = None
    failed: str | None = None


def _steps(program: Program, row: Row | MemoryRow) -> tuple[Step, ...]:
    """The steps of a row; the floor does its one piece of work once."""
    return row.steps[:1] if isinstance(program, Floor) else row.steps


def _once(program: Program, row: Row | MemoryRow, lakes: Lakes) -> Cost:
    lake = lakes.copy(program, row.state)
    cost = execute(program, _steps(program, row), lake=lake, inputs=lakes.inputs, work=lakes.work)
    name = f"{row.title}, {lakes.inputs.dated.name}: {program.name}"
    log.info("%s: %.2f CPU s, %.0f MB", name, cost.cpu, cost.rss / 1e6)
    return cost


def _less_start(program: Program, costs: Sequence[Cost], starts: Sequence[Cost]) -> Measured:
    cost, start = middle(costs), middle(starts)
    return Measured(program.name, cost.cpu - start.cpu, start.cpu, cost.cpu, cost.rss, tuple(costs))


def compare(row: Row, programs: Sequence[Program], lakes: Lakes, tiny: Lakes, *, repeat: int) -> Comparison:
    """Measure one row, the programs in turn; `tiny` has the lakes of one entity."""
    runs: dict[str, list[Cost]] = {program.name: [] for program in programs}
    starts: dict[str, list[Cost]] = {program.name: [] for program in programs}
    try:
        for size in (lakes, tiny):
            for program in programs:
                size.prepared(program, row.state)
        for _ in range(repeat):
            for program in programs:
                starts[program.name].append(_once(program, row, tiny))
                runs[program.name].append(_once(program, row, lakes))
    except CommandFailed as error:
        return Comparison(row.title, row.wanted, {}, failed=str(error))
    measured = {
        program.name: _less_start(program, runs[program.name], starts[program.name]) for program in programs
    }
    if len(programs) < 2:
        return Comparison(row.title, row.wanted, measured)
    ours, rival = (measured[program.name] for program in programs)
    return Comparison(
        row.title,
        row.wanted,
        measured,
        ratio=rival.cpu / max(ours.cpu, 0.001),
        ratio_with_start=rival.cpu_with_start / ours.cpu_with_start,
    )


@dataclass(frozen=True)
class Limit:
    """One figure of ours that has to stay below a limit."""

    title: str
    value: float | None
    limit: float
    unit: str
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether there is a figure, and it is within the limit."""
        return self.value is not None and self.value <= self.limit


def by_id(ours: Ours, lakes: Lakes, *, reads: int = 50) -> Limit:
    """The median read of one entity in a process that has the dataset open, on a merged lake."""
    script = Path(__file__).resolve().parents[1] / "by_id.py"
    title = "entity by id, warm"
    try:
        lake = lakes.prepared(ours, "merged")
        command = [str(ours.python), str(script), str(lake), DATASET, str(lakes.inputs.dated), str(reads)]
        _, out = run(command, env=ours.env(), cwd=lakes.work)
    except CommandFailed as error:
        return Limit(title, None, BY_ID_LIMIT_MS, "ms", str(error))
    found = json.loads(out)
    note = f"{found['cpu_ms']:.1f} ms CPU; peer, measured once: {BY_ID_PEER_MS:.0f} ms"
    return Limit(title, found["ms"], BY_ID_LIMIT_MS, "ms", note)


def difference(ours: Ours, lakes: Lakes) -> Limit:
    """What it costs to compare two versions of all entities, of which 5 % changed, and to write what did."""
    script = Path(__file__).resolve().parents[1] / "difference.py"
    title = "difference of two versions of all entities"
    try:
        lake = lakes.copy(ours, "changed")
        _, out = run([str(ours.python), str(script), str(lake), DATASET], env=ours.env(), cwd=lakes.work)
    except CommandFailed as error:
        return Limit(title, None, DIFFERENCE_LIMIT, "CPU s", str(error))
    found = json.loads(out)
    note = f"{found['changed']:,} changes, {found['bytes'] / 1e6:.1f} MB"
    return Limit(title, found["cpu"], DIFFERENCE_LIMIT, "CPU s", note)


def startup_limits(ours: Ours, *, repeat: int, work: Path) -> list[Limit]:
    """Median wall seconds of starting the command and of importing the Dagster definitions."""
    definitions = [str(ours.python), "-c", "import lakehouse_assets.definitions"]
    limits = []
    for title, command in zip(STARTUP_LIMITS, (ours.startup(), definitions), strict=True):
        try:
            costs = [run(command, env=ours.env(), cwd=work)[0] for _ in range(repeat + 1)][1:]
        except CommandFailed as error:
            limits.append(Limit(title, None, STARTUP_LIMITS[title], "s", str(error)))
            continue
        cost = middle(costs)
        limits.append(Limit(title, cost.wall, STARTUP_LIMITS[title], "s", f"{cost.cpu:.2f} s CPU"))
    return limits


def idle_limits(ours: Ours, lakes: Lakes, *, repeat: int, datasets: int) -> list[Limit]:
    """What it takes to find that nothing is to be done: a fresh make, and the status of many datasets."""
    limits = []
    title = "make of a fresh dataset, over --help"
    try:
        lake = lakes.prepared(ours, "made")
        command = ours.command(Make(), lake, lakes.inputs)
        makes = middle([run(command, env=ours.env(), cwd=lakes.work)[0] for _ in range(repeat)])
        starts = middle([run(ours.startup(), env=ours.env(), cwd=lakes.work)[0] for _ in range(repeat)])
        note = f"{makes.cpu:.2f} s CPU less {starts.cpu:.2f} s"
        limits.append(Limit(title, makes.wall - starts.wall, FRESH_MAKE_LIMIT, "s", note))
    except CommandFailed as error:
        limits.append(Limit(title, None, FRESH_MAKE_LIMIT, "s", str(error)))
    title = f"status of {datasets:,} datasets"
    try:
        cost, _ = run(ours.status(lakes.many(ours, datasets)), env=ours.env(), cwd=lakes.work)
        limits.append(Limit(title, cost.wall, STATUS_LIMIT, "s", f"{cost.cpu:.2f} s CPU"))
    except CommandFailed as error:
        limits.append(Limit(title, None, STATUS_LIMIT, "s", str(error)))
    return limits


@dataclass(frozen=True)
class Growth:
    """Costs of one row at two sizes: the median CPU seconds, and the largest peak memory."""

    title: str
    limit: float
    """Gigabytes."""
    factor: float
    """How many times larger the large size is."""
    small: Cost | None = None
    large: Cost | None = None
    failed: str | None = None

    @property
    def memory(self) -> float:
        """By which share the peak grows from the small to the large size."""
        return self.large.rss / self.small.rss - 1 if self.small and self.large else float("inf")

    @property
    def time(self) -> float:
        """CPU seconds at the large size, as a multiple of what they would be if they grew as the data does."""
        return self.large.cpu / self.small.cpu / self.factor if self.small and self.large else float("inf")

    @property
    def passed(self) -> bool:
        """Within the limit at both sizes, less than half more at the large one, and time grows as the data."""
        if self.small is None or self.large is None:
            return False
        fits = max(self.small.rss, self.large.rss) <= self.limit * 1e9
        return fits and self.memory < 0.5 and self.time <= MOST_GROWTH


def growth(row: MemoryRow, ours: Ours, small: Lakes, large: Lakes, *, repeat: int, factor: float) -> Growth:
    """What one row costs at both sizes."""
    try:
        at_small = middle([_once(ours, row, small) for _ in range(repeat)])
        at_large = middle([_once(ours, row, large) for _ in range(repeat)])
    except CommandFailed as error:
        return Growth(row.title, row.limit, factor, failed=str(error))
    return Growth(row.title, row.limit, factor, at_small, at_large)


def as_json(item: Comparison | Limit | Growth) -> dict[str, object]:
    """The item as JSON takes it, with its verdict where it has one."""
    verdict = {} if isinstance(item, Comparison) else {"passed": item.passed}
    return {**asdict(item), **verdict}
