"""Results as Markdown tables."""

from collections.abc import Sequence

from harness.compare import Comparison, Growth, Limit
from harness.s3 import Beside


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with columns as wide as their cells."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _verdict(passed: bool) -> str:
    return "yes" if passed else "NO"


def comparisons(rows: Sequence[Comparison], *, ours: str, rival: str) -> str:
    """CPU seconds of both, their ratio, and against the peer whether it is the one wanted."""
    against_peer = rival == "peer"
    head = ["", f"{ours}, CPU s", f"{rival}, CPU s"]
    head += ["times", "times, with start", "wanted", "reached"] if against_peer else ["of the floor"]
    head += [f"{ours}, start", f"{rival}, start", f"{ours}, peak MB", f"{rival}, peak MB"]
    lines = []
    for row in rows:
        if row.ratio is None or row.ratio_with_start is None:
            lines.append([row.title, "failed", *[""] * (len(head) - 2)])
            continue
        a, b = row.measured[ours], row.measured[rival]
        middle = [f"{a.cpu / b.cpu:.1f}"]
        if against_peer:
            verdict = _verdict(row.ratio >= row.wanted)
            middle = [f"{row.ratio:.1f}", f"{row.ratio_with_start:.1f}", f"{row.wanted:g}", verdict]
        figures = [f"{a.start:.2f}", f"{b.start:.2f}", f"{a.rss / 1e6:.0f}", f"{b.rss / 1e6:.0f}"]
        lines.append([row.title, f"{a.cpu:.2f}", f"{b.cpu:.2f}", *middle, *figures])
    return table(head, lines)


def alone(rows: Sequence[Comparison], *, name: str) -> str:
    """CPU seconds of one program."""
    head = ["", f"{name}, CPU s", "with start", f"{name}, peak MB"]
    lines = [
        [row.title, f"{found.cpu:.2f}", f"{found.cpu_with_start:.2f}", f"{found.rss / 1e6:.0f}"]
        if (found := row.measured.get(name))
        else [row.title, "failed", "", ""]
        for row in rows
    ]
    return table(head, lines)


def limits(rows: Sequence[Limit]) -> str:
    """Figures with an upper bound."""
    head = ["", "measured", "limit", "kept", ""]
    lines = [
        [
            row.title,
            "failed" if row.value is None else f"{row.value:.2f} {row.unit}",
            f"{row.limit:g} {row.unit}",
            _verdict(row.passed),
            "" if row.value is None else row.note,
        ]
        for row in rows
    ]
    return table(head, lines)


def growths(rows: Sequence[Growth], *, small: int, large: int) -> str:
    """Peak memory and CPU seconds at both sizes."""
    head = ["entities:", *(f"{size:,}" for size in (small, large)), "growth", "limit"]
    head += [*(f"{size:,}" for size in (small, large)), "over the data's growth", "kept"]
    lines = []
    for row in rows:
        if row.small is None or row.large is None:
            lines.append([row.title, "failed", *[""] * 6, "NO"])
            continue
        costs = (row.small, row.large)
        memory = [*(f"{cost.rss / 1e9:.2f} GB" for cost in costs), f"{row.memory:+.0%}", f"{row.limit} GB"]
        time = [*(f"{cost.cpu:.1f} s" for cost in costs), f"{row.time:.2f}"]
        lines.append([row.title, *memory, *time, _verdict(row.passed)])
    return table(head, lines)


def besides(rows: Sequence[Beside]) -> str:
    """CPU and wall seconds on local disk and with a bucket."""
    head = ["", "local, CPU s", "bucket, CPU s", "local, wall s", "bucket, wall s", "bucket, peak MB"]
    lines = []
    for row in rows:
        figures = (row.local.cpu, row.remote.cpu, row.local.wall, row.remote.wall)
        lines.append([row.title, *(f"{figure:.3g}" for figure in figures), f"{row.remote.rss / 1e6:.0f}"])
    return table(head, lines)
