"""
What pipeline.yml asserts of the statements, and refusing to publish what is not so.

The counting is done once for each content and each pipeline.yml, and remembered beside the tags: however many exports
ask, in however many processes, the statements are read once.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.errors import AssertionFailed, StorageError
from lakehouse_assets.model.pipeline import Assertions, PipelineConfig
from lakehouse_assets.operations.counting import Counts, count
from lakehouse_assets.operations.repositories import Repositories

log = logging.getLogger(__name__)

_FORMAT = 1


@dataclass(frozen=True)
class Verdict:
    """
    What became of one assertion: `name` is its key in pipeline.yml, `text` says it with both numbers.

    Example:
        >>> Verdict("schema.Person.min", 5, 3, False, "3 entities are of schema Person, at least 5 are wanted")
    """

    name: str
    wanted: float
    found: float
    passed: bool
    text: str


@dataclass(frozen=True)
class Published:
    """How many entities the dataset had when it was last exported, and which file says so."""

    entities: int
    path: str
    at: datetime


def evaluate(parts: Repositories) -> list[Verdict]:
    """What each assertion comes to on the statements as they are now; nothing is read where nothing is asserted."""
    assertions, digest = _asserted(parts)
    if not assertions:
        return []
    version = parts.store.content_version()
    counts = _remembered(parts, version, digest)
    if counts is None:
        counts = count(parts.store.reader, sorted(assertions.filled))
        _remember(parts, version, digest, counts)
    return [*_bounds(assertions, counts), *_shares(assertions, counts), *_drop(assertions, counts, parts)]


def insist(parts: Repositories, target: str, *, anyway: bool = False) -> list[str]:
    """
    Raise AssertionFailed when an assertion does not hold, so that `target` is not written.

    With `anyway` what does not hold is returned, and logged as published all the same.
    """
    failures = [verdict.text for verdict in evaluate(parts) if not verdict.passed]
    if failures and not anyway:
        msg = (
            f"{target} is not published, as {parts.name}/{layout.PIPELINE} asserts otherwise: {'; '.join(failures)}; "
            f"mend the data or {layout.PIPELINE}, or publish all the same with --no-assertions"
        )
        raise AssertionFailed(msg, failures=failures)
    if failures:
        log.warning("%s: %s is published although %s", parts.name, target, "; ".join(failures))
    return failures


def published(parts: Repositories) -> Published | None:
    """The count of the export that was written last, of those that tell one: statistics.json and entities.ftm.json."""
    found = [found for found in (_of_statistics(parts), _of_entities(parts)) if found is not None]
    return max(found, key=lambda each: each.at, default=None)


def _asserted(parts: Repositories) -> tuple[Assertions, str]:
    """The assertions, and the digest of the file that they stand in."""
    data = parts.location.read_or_none(layout.PIPELINE)
    if data is None:
        return Assertions(), ""
    pipeline = PipelineConfig.load(data, parts.location.url(layout.PIPELINE))
    return pipeline.assertions, hashlib.sha256(data).hexdigest()


def _bounds(assertions: Assertions, counts: Counts) -> Iterator[Verdict]:
    for schema, bounds in assertions.schemata.items():
        found = counts.schemata.get(schema, 0)
        for name, wanted in (("min", bounds.min), ("max", bounds.max)):
            if wanted is not None:
                passed = found >= wanted if name == "min" else found <= wanted
                most = "at least" if name == "min" else "at most"
                text = f"{found:,} entities are of schema {schema}, {most} {wanted:,} are wanted"
                yield Verdict(f"schema.{schema}.{name}", wanted, found, passed, text)


def _shares(assertions: Assertions, counts: Counts) -> Iterator[Verdict]:
    for name, wanted in assertions.filled.items():
        filled, of = counts.filled[name], counts.schemata.get(name.partition(".")[0], 0)
        # what holds of none holds of all
        share = filled / of if of else 1.0
        text = f"{name} is filled in {filled:,} of {of:,} entities ({share:.2%}), at least {wanted:.2%} are wanted"
        yield Verdict(f"filled.{name}", wanted, share, share >= wanted, text)


def _drop(assertions: Assertions, counts: Counts, parts: Repositories) -> Iterator[Verdict]:
    most = assertions.max_drop_percent
    if most is None:
        return
    name, before = "max_drop_percent", published(parts)
    if before is None:
        yield Verdict(name, most, 0.0, True, "nothing was published yet that there could be less of")
        return
    now = counts.lines if before.path.startswith(layout.ENTITIES) else counts.entities
    drop = max(0, before.entities - now) * 100 / max(before.entities, 1)
    text = (
        f"there are {now:,} entities, and {before.entities:,} in {before.path} of {before.at:%Y-%m-%d %H:%M}: "
        f"{drop:.2f} % less, at most {most:g} % are allowed"
    )
    yield Verdict(name, most, drop, drop <= most, text)


def _of_statistics(parts: Repositories) -> Published | None:
    data = parts.location.read_or_none(layout.STATISTICS)
    at = parts.location.modified(layout.STATISTICS)
    if data is None or at is None:
        return None
    try:
        entities = int(json.loads(data)["entity_count"])
    except (ValueError, KeyError, TypeError) as exc:
        log.warning("cannot read %s: %s", parts.location.url(layout.STATISTICS), exc)
        return None
    record = parts.records.get(layout.STATISTICS)
    return Published(entities, layout.STATISTICS, record.written_at if record else at)


def _of_entities(parts: Repositories) -> Published | None:
    record = parts.records.get(layout.ENTITIES)
    if record is None or not parts.location.exists(record.path):
        return None
    return Published(record.rows, record.path, record.written_at)


def _remembered(parts: Repositories, version: str, digest: str) -> Counts | None:
    data = parts.location.read_or_none(layout.ASSERTIONS)
    try:
        found = json.loads(data) if data is not None else {}
        if [found.get(key) for key in ("format", "content_version", "pipeline")] == [
            _FORMAT,
            version,
            digest,
        ]:
            return Counts(**found["counts"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        log.debug("cannot read %s: %s", layout.ASSERTIONS, exc)
    return None


def _remember(parts: Repositories, version: str, digest: str, counts: Counts) -> None:
    found = {"format": _FORMAT, "content_version": version, "pipeline": digest, "counts": asdict(counts)}
    try:
        parts.location.write(layout.ASSERTIONS, json.dumps(found).encode())
    except StorageError as exc:
        # a lake that can only be read can still be checked
        log.debug("cannot remember what was counted: %s", exc)
