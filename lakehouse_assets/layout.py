"""
Where things lie in a lake: every path and every tag name, once.

Paths are keys relative to a dataset's folder, those starting with `LAKE_` relative to the lake's. The layout
is the one of ftm-lakehouse; what only this program writes is ignored by it.
"""

from datetime import UTC, datetime

# documents
CONFIG = "config.yml"
PIPELINE = "pipeline.yml"
INDEX = "index.json"

# the table and what is made from it
STATEMENTS_TABLE = "statements"
TABLE_LOG = "statements/_delta_log"
ENTITIES = "entities.ftm.json"
EXPORT_STATEMENTS = "exports/statements.csv"
STATISTICS = "exports/statistics.json"
DOCUMENTS = "exports/documents.csv"
DOCUMENTS_CRAWL = "exports/documents.crawl.csv"

# differences between exports
DIFFS = "diffs"
DIFF_ENTITIES = "diffs/entities.ftm.json"
DIFF_DOCUMENTS = "diffs/exports/documents.csv"
DIFF_DOCUMENTS_CRAWL = "diffs/exports/documents.crawl.csv"
DIFFS_OF = {
    ENTITIES: DIFF_ENTITIES,
    DOCUMENTS: DIFF_DOCUMENTS,
    DOCUMENTS_CRAWL: DIFF_DOCUMENTS_CRAWL,
}
DELTA_INDEX = "diffs/delta.json"
DIFF_WORK = "diffs/.work"

# folders
ARCHIVE = "archive"
MAPPINGS = "mappings"
VERSIONS = "versions"
JOBS = "jobs/runs"
JOURNAL = "journal"
QUARANTINE = "quarantine"
QUARANTINED_BLOBS = "quarantine/blobs"
CRAWL_REPORTS = "crawl"
STATE = "state"

# entities that wait to be flushed: a file for each segment, the batch that is flushed, and below them the rows
JOURNAL_BATCH = f"{JOURNAL}/flush.json"
JOURNAL_ROWS = f"{JOURNAL}/rows"

# locks: the first two are shared with ftm-lakehouse, the folder is ours
LOCK = ".LOCK"
APPEND_LOCKS = ".LOCK-APPENDS"
LOCKS = "locks/lakehouse"
WRITE_LOCK = f"{LOCKS}/write.json"
READERS = f"{LOCKS}/readers"
STAGING = f"{LOCKS}/staging"
WAITING = f"{LOCKS}/waiting"

# tags: keys below `TAGS`; an export's tag is its path
TAGS = "tags/lakehouse"
TAG_JOURNAL_UPDATED = "journal/last_updated"
TAG_JOURNAL_FLUSHED = "journal/last_flushed"
TAG_STATEMENTS_UPDATED = "statements/last_updated"
TAG_STATEMENTS_OPTIMIZED = "statements/last_optimized"
TAG_STATEMENTS_COMPACTED = "statements/last_compacted"
TAG_STATEMENTS_MERGED = "statements/last_merged"
TAG_STATEMENTS_VACUUMED = "statements/last_vacuumed"
TAG_ARCHIVE_UPDATED = "archive/last_updated"
TAG_CRAWL = "operations/crawl/last_run"
TAG_DOWNLOAD = "operations/download_archive/last_run"
TAG_MAKE = "operations/make/last_run"
TAG_ROLE_MIGRATED = "migrations/migrate_parquet_add_role"

# older programs tagged these exports under other names: read when the tag of the path is missing
TAG_FALLBACKS = {
    EXPORT_STATEMENTS: "exports/statements",
    ENTITIES: "exports/entities_json",
    STATISTICS: "exports/statistics",
}

# the last version of the table that changed its content, for when the log that tells it is gone
TABLE_CONTENT = f"{TAGS}/statements/content_version"

# of contents of the table that came from elsewhere, by their marks: which contents are part of them
TABLE_LINEAGE = f"{TAGS}/statements/lineage"

# of documents: the digest that they had when they were last the same here and there
REPLICA_BASES = f"{TAGS}/replicas/documents"

# of archives, by where they were brought from: what they were when nothing of them was missing here
REPLICA_ARCHIVES = f"{TAGS}/replicas/archives"

# there while datasets are brought; what it says was not wholly done when nobody is at it any more
REPLICA_BEGUN = f"{TAGS}/replicas/begun"

# what the assertions of pipeline.yml last came to
ASSERTIONS = f"{TAGS}/statements/assertions"

# the lake's own files; the folder cannot be a dataset, its name is not valid for one
LAKE_INDEX = INDEX
LAKE_PRIVATE = ".lakehouse"
LAKE_DAGSTER = f"{LAKE_PRIVATE}/dagster"
LAKE_QUEUE = f"{LAKE_PRIVATE}/queue"
LAKE_STATE = f"{LAKE_PRIVATE}/state"
LAKE_REGISTRY = f"{LAKE_PRIVATE}/registry"
LAKE_COLLECTIONS = f"{LAKE_PRIVATE}/collections"
LAKE_CHECKPOINTS = f"{LAKE_PRIVATE}/checkpoints"
LAKE_GC = f"{LAKE_PRIVATE}/gc"
LAKE_GC_LOCK = f"{LAKE_PRIVATE}/locks/gc.json"
LAKE_PROBES = f"{LAKE_PRIVATE}/probes"

_STAMP = "%Y%m%dT%H%M%S%fZ"
_STAMP_OF_DOCS = "%Y-%m-%dT%H:%M:%S"


def stamp(at: datetime) -> str:
    """A time as it stands in file names: `20261121T041101176954Z`."""
    return at.astimezone(UTC).strftime(_STAMP)


def parse_stamp(text: str) -> datetime:
    """The time that a file name's stamp means; ValueError when it is none."""
    form = _STAMP_OF_DOCS if "-" in text else _STAMP
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def compressed(path: str, compression: str | None) -> str:
    """The file of an export: its path, with `.gz` or `.zst` when it is compressed."""
    return f"{path}.{compression}" if compression else path


def forms(path: str) -> list[str]:
    """All files that an export can be, compressed or not."""
    return [compressed(path, compression) for compression in (None, "gz", "zst")]


def tag(key: str) -> str:
    """The file of a tag."""
    return f"{TAGS}/{key}"


def digest_tag(path: str, digest: str) -> str:
    """The tag that says that a file has had this content (sha256)."""
    return f"{path}-{digest}"


def current_tag(diff: str) -> str:
    """The tag that holds the state of a diff: `STAMP:TABLE_VERSION`, no JSON."""
    return f"{diff}-current"


def partition_tag(shard: str, bucket: str, origin: str, event: str) -> str:
    """The tag of a partition of the statements; the event is `last_updated` or `last_optimized`."""
    return f"{STATEMENTS_TABLE}/{shard}/{bucket}/{origin}/{event}"


def mapping(content_hash: str) -> str:
    """The mapping of an archived file."""
    return f"{MAPPINGS}/{content_hash}/mapping.yml"


def mapping_tag(content_hash: str) -> str:
    """The tag of the last run of a mapping."""
    return f"{MAPPINGS}/{content_hash}/last_processed"


def record(key: str) -> str:
    """The file that records what an artifact was made from."""
    return f"{TAGS}/{key}-written"


def snapshot(path: str, at: datetime) -> str:
    """The snapshot of a versioned file, taken at a time."""
    text = stamp(at)
    return f"{VERSIONS}/{text[:4]}/{text[4:6]}/{text}/{path}"


def job_runs(job_class: str) -> str:
    """The folder of a job class' records."""
    return f"{JOBS}/{job_class}"


def job_run(job_class: str, run_id: str) -> str:
    """The record of one run of a job."""
    return f"{JOBS}/{job_class}/{run_id}.json"


def quarantine(run_id: str) -> str:
    """The lines that a run could not import."""
    return f"{QUARANTINE}/{run_id}.jsonl"


def quarantined_blob(checksum: str) -> str:
    """An archived file whose bytes did not match its name."""
    return f"{QUARANTINED_BLOBS}/{checksum}"


def crawl_report(run_id: str) -> str:
    """What a crawl saw, stored, knew already and failed at."""
    return f"{CRAWL_REPORTS}/{run_id}.json"


def crawl_catalogue(name: str) -> str:
    """What was seen at a source of a crawl, as parquet."""
    return f"{CRAWL_REPORTS}/seen/{name}.parquet"


def journal_segment(name: str) -> str:
    """The file that makes a segment of the journal visible."""
    return f"{JOURNAL}/{name}.json"


def journal_rows(token: str) -> str:
    """The folder of a segment's rows, in files like those of the table."""
    return f"{JOURNAL_ROWS}/{token}"


def probe(name: str) -> str:
    """A file of the lake that is only made to see how its store goes about it."""
    return f"{LAKE_PROBES}/{name}"


def diff(target: str, at: datetime) -> str:
    """
    A difference file, below one of the `DIFF_*` folders.

    Example:
        >>> diff(DIFF_ENTITIES, datetime(2026, 11, 21, tzinfo=UTC))
        'diffs/entities.ftm.json/20261121T000000000000Z.delta.json'
    """
    suffix = "diff.csv" if target.endswith(".csv") else "delta.json"
    return f"{target}/{stamp(at)}.{suffix}"


def diff_digests(target: str, digest: str) -> str:
    """The digests of an export's lines, found by the digest of the export; `target` is one of the `DIFF_*` folders."""
    return f"{diff_work(target)}/digests/{digest}.parquet"


def diff_draft(target: str, at: datetime) -> str:
    """A difference that is complete, and not yet in its place."""
    return f"{diff_work(target)}/drafts/{stamp(at)}"


def diff_changes(target: str, at: datetime) -> str:
    """The digests of what a difference changed, before and after, and where in its file each line stands."""
    return f"{diff_work(target)}/changes/{stamp(at)}.parquet"


def diff_work(target: str) -> str:
    """Where what differences are made of lies, which nobody else needs."""
    return f"{DIFF_WORK}/{target.removeprefix(f'{DIFFS}/')}"


def append_lock(token: str) -> str:
    """The fence of one append, seen by ftm-lakehouse."""
    return f"{APPEND_LOCKS}/{token}"


def append_holder(token: str) -> str:
    """Who stands behind the fence of an append."""
    return f"{LOCKS}/append-{token}.json"


def append_token(key: str) -> str | None:
    """The token of an append's side file, None for any other key."""
    lead, end = f"{LOCKS}/append-", ".json"
    return key[len(lead) : -len(end)] if key.startswith(lead) and key.endswith(end) else None


def is_target_lock(key: str) -> bool:
    """Whether a key is the lease of an export."""
    return key.startswith(f"{LOCKS}/target-") and key.endswith(".json")


def target_lock(name: str) -> str:
    """The lease of one export; slashes would make folders of it."""
    return f"{LOCKS}/target-{name.replace('/', '~')}.json"


def gc_marks(heap: str) -> str:
    """What was found needless in one part of the lake, and since when, as parquet."""
    return f"{LAKE_GC}/{heap}.parquet"


def folder(checksum: str) -> str:
    """The folder of an archived file: `archive/ab/cd/ef/<sha256>`."""
    return f"{ARCHIVE}/{checksum[:2]}/{checksum[2:4]}/{checksum[4:6]}/{checksum}"


def blob(checksum: str) -> str:
    """The bytes of an archived file."""
    return f"{folder(checksum)}/blob"


def put_aside(checksum: str) -> str:
    """The same bytes while it is looked once more whether somebody needs them."""
    return f"{folder(checksum)}/blob.aside"


def file_meta(checksum: str, file_id: str) -> str:
    """What is known of an archived file at one of its paths."""
    return f"{folder(checksum)}/{file_id}.json"
