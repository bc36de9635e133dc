"""Which names datasets and origins may have."""

import re
import unicodedata

from lakehouse_assets.errors import InvalidData

# what followthemoney's dataset_name_check accepts, without its import of 2 s: a test compares the two
_DATASET = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_RESERVED = {"catalog", "default"}
_LONGEST_ORIGIN = 255


def check_dataset_name(name: str) -> str:
    """
    The name itself if a dataset may have it, else InvalidData.

    Example:
        >>> check_dataset_name("eu_authorities")
        'eu_authorities'
    """
    if name in _RESERVED:
        msg = f"{name!r} cannot be the name of a dataset: it is reserved; choose another"
        raise InvalidData(msg)
    if not _DATASET.fullmatch(name):
        msg = (
            f"{name[:80]!r} cannot be the name of a dataset: use a-z, 0-9 and single _ between, like eu_list"
        )
        raise InvalidData(msg)
    return name


def is_dataset_name(name: str) -> bool:
    """Whether a dataset may have this name."""
    return name not in _RESERVED and _DATASET.fullmatch(name) is not None


def check_origin(origin: str) -> str:
    """
    The origin itself if statements may have it, else InvalidData.

    Example:
        >>> check_origin("mapping:5a6a")
        'mapping:5a6a'
    """
    if not 0 < len(origin) <= _LONGEST_ORIGIN:
        reason = f"it must have 1 to {_LONGEST_ORIGIN} characters"
    elif origin == "." or ".." in origin or any(char in "/\\'\"" for char in origin):
        reason = "it must not hold / \\ ' \" or '..'"
    elif any(unicodedata.category(char) == "Cc" for char in origin):
        reason = "it must not hold control characters"
    else:
        return origin
    msg = f"{origin[:80]!r} cannot be an origin: {reason}"
    raise InvalidData(msg)
