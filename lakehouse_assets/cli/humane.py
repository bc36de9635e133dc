"""Numbers as people read them."""

from collections.abc import Mapping

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOST_NAMED = 5


def count(number: int, one: str = "", many: str = "") -> str:
    """
    A number with its thousands apart, and what it counts.

    Example:
        >>> count(12345, "entity", "entities")
        '12,345 entities'
    """
    noun = one if number == 1 else many or f"{one}s"
    return f"{number:,} {noun}" if one else f"{number:,}"


def size(number: int) -> str:
    """
    A number of bytes.

    Example:
        >>> size(1_234_567)
        '1.2 MB'
    """
    value = float(number)
    for unit in _UNITS[:-1]:
        if value < 999.95 or (unit == "B" and value < 1000):
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} {_UNITS[-1]}"


def seconds(number: float) -> str:
    """
    A span of time.

    Example:
        >>> seconds(0.42), seconds(75)
        ('0.4 s', '1 min 15 s')
    """
    if number < 59.95:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def cell(value: int | float | str) -> str:
    """
    A value in a table.

    Example:
        >>> cell(12345), cell(1 / 3), cell("no")
        ('12,345', '0.3333', 'no')
    """
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def counts(found: Mapping[str, int]) -> str:
    """
    How many values, and of which properties most.

    Example:
        >>> counts({"Person.country": 3})
        '3 values (Person.country 3)'
    """
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name} {number:,}" for name, number in most[:_MOST_NAMED]]
    named += ["..."] if len(most) > _MOST_NAMED else []
    return f"{count(sum(found.values()), 'value')} ({', '.join(named)})"
