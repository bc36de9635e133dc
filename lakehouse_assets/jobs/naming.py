"""
The names of a queue's files. What a listing has to tell stands in them, so that no file need be read for it.

    QUEUE/waiting/STAMP,PRIORITY,NOT_BEFORE,COUNT,DIGEST,TASK,DATASET.jsonl
"""

from collections.abc import Sequence
from datetime import date
from urllib.parse import quote, unquote

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs.queue import Batch

WAITING, KNOWN, LEASES, CANCELLED, DEAD, DONE = "waiting", "known", "leases", "cancelled", "dead", "done"
JOBS, JSON = ".jsonl", ".json"

BOOKMARK = "drain:"
"""What the names of the states of batches begin with."""

# what every file system takes as one name, with an ending; what is longer goes on in a folder of this mark
_LONGEST = 200
_GOES_ON = "+"
_NONE = "-"


def joined(parts: Sequence[str]) -> str:
    """
    Any texts as one path that stays where it is put, from which `parted` gets them back.

    Example:
        >>> joined(["a/b", "", "Ü"])
        'a%2Fb,,Ü'
    """
    text = ",".join("".join(map(_encoded, part)) for part in parts)
    if text.startswith(".") or len(text.encode()) > _LONGEST:
        # hidden names, and those of temp files, begin with a dot
        text = text.replace(".", "%2E")
    return f"{_GOES_ON}/".join(_cut(text))


def _encoded(char: str) -> str:
    # letters of all scripts stay: encoded, long names would need more bytes than the key of an object may have
    return char if char > "\x7f" and char.isprintable() else quote(char, safe="")


def _cut(text: str) -> list[str]:
    """A text in pieces that can be names of files."""
    pieces, size = [""], 0
    for char in text:
        size += len(char.encode())
        if size > _LONGEST:
            pieces.append("")
            size = len(char.encode())
        pieces[-1] += char
    return pieces


def parted(path: str) -> list[str]:
    """The texts that a path was made of."""
    return [unquote(part) for part in path.replace(f"{_GOES_ON}/", "").split(",")]


def queue_folder(queue: str) -> str:
    """The folder of a queue in a lake."""
    return f"{layout.LAKE_QUEUE}/{joined([queue])}"


def goes_on(folder: str) -> bool:
    """Whether a folder holds the rest of a name that is too long for one."""
    return folder.endswith(_GOES_ON)


def batch_name(batch: Batch, digest: str) -> str:
    """The name of a batch's file, without its ending; the digest is that of its jobs."""
    not_before = layout.stamp(batch.not_before) if batch.not_before else _NONE
    fixed = [layout.stamp(batch.deferred_at), str(batch.priority), not_before, str(batch.count), digest]
    return joined([*fixed, batch.task, batch.dataset or ""])


def ref_of(queue: str, name: str) -> str:
    """How others name a batch."""
    return f"{joined([queue])}:{name}"


def parse_ref(ref: str) -> tuple[Batch, str]:
    """The batch that a ref means, and the name of its file; InvalidData when it is none."""
    folder, found, name = ref.partition(":")
    batch = parse_name(parted(folder)[0], name) if found else None
    if batch is None:
        msg = f"not a batch of jobs: {ref!r}; `lakehouse jobs status` tells what waits"
        raise InvalidData(msg)
    return batch, name


def parse_name(queue: str, name: str) -> Batch | None:
    """The batch that a file's name tells of; None for any other file."""
    try:
        at, priority, not_before, count, _, task, dataset = parted(name)
        return Batch(
            ref=ref_of(queue, name),
            queue=queue,
            task=task,
            dataset=dataset or None,
            count=int(count),
            priority=int(priority),
            not_before=None if not_before == _NONE else layout.parse_stamp(not_before),
            deferred_at=layout.parse_stamp(at),
        )
    except ValueError:
        return None


def short(name: str) -> str:
    """What is enough to tell a batch from all others: its time and its digest."""
    parts = parted(name)
    return f"{parts[0]}-{parts[4]}"


def digest_in(name: str) -> str:
    """The digest of a batch's jobs, as its name has it."""
    return parted(name)[4]


def deferred_on(name: str) -> date:
    """The day (UTC) on which a batch was deferred."""
    return layout.parse_stamp(parted(name)[0]).date()


def payload(name: str) -> str:
    """The file of a batch, in its queue's folder."""
    return f"{WAITING}/{name}{JOBS}"


def lease_key(name: str) -> str:
    """The file of who works a batch."""
    return f"{LEASES}/{name}{JSON}"


def cancel_key(name: str) -> str:
    """The file that tells the worker of a batch to stop."""
    return f"{CANCELLED}/{name}{JSON}"


def known_key(digest: str) -> str:
    """The file that names the batch in which the jobs of a digest wait."""
    return f"{KNOWN}/{digest}"


def bookmark(name: str) -> str:
    """The state that tells how far the worker of a batch is."""
    return f"{BOOKMARK}{short(name)}"
