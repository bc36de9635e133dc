"""
Whether anything of a dataset changed, told from outside: cheap enough to be asked of every dataset twice a minute.

Whoever writes to a dataset, this program, ftm-lakehouse or a hand, leaves a file that is newer, larger or gone, a new
entry in the table's log, or a tag. None of these is read.
"""

import hashlib
import os
import random
import time
from collections.abc import Iterable, Iterator
from functools import partial

from lakehouse_assets import __version__, layout
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

_DIGITS = 12

# what is replaced or comes into a folder on local disk changes the folder's own time
_FOLDERS = (
    layout.TABLE_LOG,
    layout.ARCHIVE,
    layout.QUARANTINED_BLOBS,
    layout.JOURNAL,
    layout.DIFFS,
    *layout.DIFFS_OF.values(),
    layout.TAGS,
    *(layout.tag(name) for name in ("archive", "statements", "journal", "exports", "diffs", "diffs/exports")),
)
# other programs write tags in their place
_TAGS = (
    layout.TAG_ARCHIVE_UPDATED,
    layout.TAG_STATEMENTS_UPDATED,
    layout.TAG_STATEMENTS_OPTIMIZED,
    layout.TAG_JOURNAL_UPDATED,
    layout.TAG_JOURNAL_FLUSHED,
)
_EXPORTS = layout.EXPORT_STATEMENTS.partition("/")[0]

# an object store is asked several things about each dataset, and takes its time for each
_WORKERS = 16


def signs_of(dataset: Location, *, wanted: str = "") -> str:
    """
    A short text that is another one as soon as something of a dataset may have changed; nothing is read.

    `wanted` is what else decides how things should be, like settings.
    """
    folder = dataset.path
    found = _local_signs(dataset, str(folder)) if folder is not None else _remote_signs(dataset)
    text = "\n".join((wanted, *found))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_DIGITS]


def all_signs(lake: Location, names: Iterable[str], settings: Settings, *, seconds: float) -> dict[str, str]:
    """
    The signs of datasets, by name: other ones, too, when this program or its settings are others.

    Only of some, when it takes longer than so many `seconds`; of other ones each time.
    """
    forms = [f"{export.name} {export.version}" for export in EXPORTS.values()]
    wanted = " ".join((__version__, *forms, settings.public_url_prefix or ""))
    known, until = list(names), time.monotonic() + seconds
    random.shuffle(known)
    signs = partial(_signs, lake, wanted)
    found = {}
    looks = map(signs, known) if lake.path is not None else in_parallel(signs, known, workers=_WORKERS)
    for name, sign in zip(known, looks, strict=True):
        found[name] = sign
        if time.monotonic() > until:
            break
    return dict(sorted(found.items()))


def _signs(lake: Location, wanted: str, name: str) -> str:
    return signs_of(lake / name, wanted=wanted)


def _local_signs(dataset: Location, folder: str) -> Iterator[str]:
    yield from dataset.stamps()
    yield from dataset.stamps(_EXPORTS)
    yield from dataset.stamps(layout.MAPPINGS, deep=True)
    yield from dataset.stamps(layout.tag(layout.MAPPINGS), deep=True)
    for key in _FOLDERS:
        yield _stamp(f"{folder}/{key}")
    for tag in _TAGS:
        yield _stamp(f"{folder}/{layout.TAGS}/{tag}")


def _remote_signs(dataset: Location) -> Iterator[str]:
    yield from dataset.stamps()
    yield from dataset.stamps(_EXPORTS)
    yield from dataset.stamps(layout.TAGS, deep=True)
    # a commit is a file of its own; the tag may be there some time before it
    yield from dataset.names(layout.TABLE_LOG)[-1:]


def _stamp(path: str) -> str:
    try:
        state = os.stat(path)
    except OSError:
        return "-"
    return f"{state.st_mtime_ns:x} {state.st_size:x} {state.st_ino:x}"
