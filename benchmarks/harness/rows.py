"""The rows of the tables: what each one runs, on a lake in which state, and what is wanted of it.

Every program does the work of a row on a copy of its own lake, prepared with its own commands. Figures are
CPU seconds less those of the same commands on a lake of one entity; the ratio with those left in stands beside.
"""

from dataclasses import dataclass

from harness.programs import Export, Import, Make, Merge, Step


@dataclass(frozen=True)
class Row:
    """One row of the comparison."""

    title: str
    state: str
    steps: tuple[Step, ...]
    wanted: float
    """What the peer's CPU seconds have to be, as a multiple of ours."""


ROWS = (
    # ours `import --trusted`, peer `entities import --unsafe`, both into an empty lake
    Row("trusted import", "empty", (Import(trusted=True),), 3),
    # ours `import`, peer `entities import`: every value is cleaned and checked
    Row("safe import", "empty", (Import(),), 3),
    # ours `merge`, peer `maintenance optimize` (merge, compact, vacuum). The entities carry no times, so the
    # second import's later --last-seen makes each row a newer version of the first one's.
    Row("merge, everything imported twice", "twice", (Merge(),), 2.5),
    # `export statements --force` on a lake merged before: no merge is part of it on either side
    Row("statements.csv, merged", "merged", (Export("statements"),), 3),
    # the same after one import and no merge. The peer cannot export this without merging first, and does so
    # within the command: its merge belongs to the row. Ours exports canonical rows either way.
    Row("statements.csv, unmerged", "once", (Export("statements"),), 5),
    # `export entities --force` on a merged lake with a fresh statements.csv and no entities.ftm.json so far.
    # The peer reads the former then, as in its `make`; from the table it needs more than twice the time. No
    # diff file is written on either side, as there is nothing to compare with.
    Row("entities.ftm.json", "with csv", (Export("entities"),), 3),
    # the same, with what changed since an export before: 5 % of the entities, on a lake merged again, with a fresh
    # statements.csv. The entities carry no times, as the peer finds changes by first_seen only.
    Row("entities.ftm.json, and what changed", "changed", (Export("entities"),), 3),
    # `export documents --force` of 20,000 files in 200 folders on a merged lake; both write the list of crawled files
    # beside it, and the state that the next difference is made from
    Row("documents.csv, 20,000 files", "documents", (Export("documents"),), 3),
    # `export statistics --force` on a merged lake
    Row("statistics.json", "merged", (Export("statistics"),), 4),
    # `import` of a file already imported (safely) and exported by `make`, then `make` again
    Row("imported again, then make", "made", (Import(), Make()), 5),
)


@dataclass(frozen=True)
class MemoryRow:
    """One row of the memory table."""

    title: str
    state: str
    steps: tuple[Step, ...]
    limit: float
    """Gigabytes (10**9 bytes) at either size."""


MEMORY_ROWS = (
    MemoryRow("trusted import", "empty", (Import(trusted=True),), 1.5),
    MemoryRow("safe import", "empty", (Import(),), 1.5),
    MemoryRow("merge, everything imported twice", "twice", (Merge(),), 1.5),
    MemoryRow("statements.csv, merged", "merged", (Export("statements"),), 0.8),
    MemoryRow("statements.csv, imported twice, unmerged", "twice", (Export("statements"),), 0.8),
    MemoryRow("entities.ftm.json, merged", "merged", (Export("entities"),), 0.8),
    MemoryRow("entities.ftm.json, imported twice, unmerged", "twice", (Export("entities"),), 0.8),
    MemoryRow("entities.ftm.json, and what changed", "changed", (Export("entities"),), 0.8),
)
