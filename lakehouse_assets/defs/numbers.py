"""Numbers as people read them."""

_UNITS = ("B", "kB", "MB", "GB", "TB")
_BAR = 24


def human_size(size: int) -> str:
    """
    A number of bytes with a unit.

    Example:
        >>> human_size(84_100_000)
        '84.1 MB'
    """
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1000**power:.1f} {_UNITS[power]}"


def bars(counts: list[tuple[str, int]], *, limit: int = 20) -> str:
    """
    Counts as a block of bars, the largest first.

    Example:
        >>> print(bars([("Person", 30), ("Company", 60)]))
        Company  ████████████████████████  60
        Person   ████████████              30
    """
    ordered = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    shown = ordered[:limit]
    if not shown:
        return "nothing yet"
    rest = sum(count for _, count in ordered[limit:])
    if rest:
        shown.append((f"{len(ordered) - limit} others", rest))
    names = max(len(name) for name, _ in shown)
    longest = max(count for _, count in shown) or 1
    digits = max(len(f"{count:,}") for _, count in shown)
    lines = []
    for name, count in shown:
        # whoever is there at all gets a sliver
        width = max(round(count / longest * _BAR), 1 if count else 0)
        lines.append(f"{name:<{names}}  {'█' * width:<{_BAR}}  {count:>{digits},}")
    return "\n".join(lines)
