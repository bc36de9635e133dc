"""The files of a job: its name as one part of a path, and back."""

from urllib.parse import quote, unquote

from lakehouse_assets.errors import InvalidData

RUNNING = "_running.json"
COMPLETED = "_completed.json"

_LOCKS = ".locks"
# what file systems and object stores take as one name
_LONGEST = 255


def segment(job: str) -> str:
    """
    The name of a job as one part of a path; InvalidData when it can be none.

    Example:
        >>> segment("crawl s3://bucket")
        'crawl%20s3%3A%2F%2Fbucket'
    """
    if not isinstance(job, str) or job in ("", ".", ".."):
        msg = f"{job!r} cannot be the name of a job; give it a name like 'crawl' or 'orders/eu'"
        raise InvalidData(msg)
    try:
        encoded = quote(job, safe="")
    except UnicodeEncodeError as exc:
        msg = f"{job!r} cannot be the name of a job: it is no Unicode text; use other characters"
        raise InvalidData(msg) from exc
    # names that begin with a dot are hidden, and those of temp files do
    encoded = f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded
    if len(encoded) + len(COMPLETED) > _LONGEST:
        most = _LONGEST - len(COMPLETED)
        msg = f"{job[:80]!r}… is too long for the name of a job: {len(encoded)} bytes when encoded, {most} at most"
        raise InvalidData(msg)
    return encoded


def running(job: str) -> str:
    """The file of a state that is being worked on."""
    return f"{segment(job)}{RUNNING}"


def completed(job: str) -> str:
    """The file of the last completed state."""
    return f"{segment(job)}{COMPLETED}"


def lock(job: str) -> str:
    """The file of who writes a state now."""
    return f"{_LOCKS}/{segment(job)}.json"


def job_of(key: str) -> str | None:
    """
    The job that a file is of; None for files of other kinds.

    Example:
        >>> job_of("a_running_completed.json")
        'a_running'
    """
    for suffix in (RUNNING, COMPLETED):
        if key.endswith(suffix):
            encoded = key.removesuffix(suffix)
            return _decoded(encoded)
    return None


def _decoded(encoded: str) -> str | None:
    """The job whose name is encoded so; None when none is, as for a file that somebody else named."""
    try:
        job = unquote(encoded, errors="strict")
        return job if segment(job) == encoded else None
    except (UnicodeDecodeError, InvalidData):
        return None
