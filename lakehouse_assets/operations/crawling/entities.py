"""From archived files to entities: gathered by some thousand, and imported in one commit."""

import io
import logging
import time
from collections.abc import Callable

from lakehouse_assets.archive.entities import file_line, folder_lines
from lakehouse_assets.archive.sources.catalogue import Catalogue
from lakehouse_assets.errors import Locked
from lakehouse_assets.operations.crawling.intake import ORIGIN, Outcome
from lakehouse_assets.statements.imports import Advance
from lakehouse_assets.statements.inputs import Source
from lakehouse_assets.statements.lines import BadLine
from lakehouse_assets.statements.store import StatementStore

log = logging.getLogger(__name__)

BATCH = 2000
"""Files whose entities are one commit: each costs some 0.2 s, memory, and after a crash reading again."""

_SECONDS = 120.0
# a merge of a large partition may keep others out for some time
_MOST_WAITING = 20 * BATCH


class Gathered:
    """
    Outcomes whose entities are not in the statements yet.

    The catalogue learns of a file after its entity was committed, never before: a crawl that is killed in between
    comes by the file again, and makes the entity then.
    """

    def __init__(
        self,
        store: StatementStore,
        *,
        make_entities: bool,
        on_refused: Callable[[str], None],
        journal: bool = False,
    ) -> None:
        """
        Without `make_entities` nothing is imported. `on_refused` hears why an entity was not taken.

        With `journal` the entities wait there for a flush, and no lock keeps them from being confirmed.
        """
        self._store = store
        self._make_entities = make_entities
        self._journal = journal
        self._on_refused = on_refused
        self._outcomes: list[Outcome] = []
        self._folders: set[str] = set()
        self._since = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Take what became of a file."""
        self._outcomes.append(outcome)

    @property
    def is_due(self) -> bool:
        """Whether so many wait, or so long, that they should be committed."""
        waits = time.monotonic() - self._since
        return len(self._outcomes) >= BATCH or (bool(self._outcomes) and waits > _SECONDS)

    def commit(self, catalogue: Catalogue, *, last: bool) -> int:
        """
        Import the entities of all that wait, in one commit, and note the files; returns how many files.

        When others keep the statements locked for too long, all of it waits on, unless it is the `last` time.
        """
        try:
            self._import()
        except Locked as exc:
            if last or len(self._outcomes) > _MOST_WAITING:
                raise
            log.warning("%s files wait for their entities: %s", f"{len(self._outcomes):,}", exc)
            self._since = time.monotonic()
            return 0
        catalogue.add(
            [
                outcome.seen._replace(entity=self._make_entities and outcome.seen.archived)
                for outcome in self._outcomes
                if outcome.seen is not None
            ]
        )
        number = len(self._outcomes)
        self._outcomes.clear()
        self._since = time.monotonic()
        return number

    def _import(self) -> None:
        if not self._make_entities:
            return
        known = set(self._folders)
        lines = [
            line
            for outcome in self._outcomes
            if outcome.stored is not None
            for line in (*folder_lines(outcome.stored.key, known), file_line(outcome.stored))
        ]
        if not lines:
            return
        data = b"".join(lines)
        self._store.import_lines(
            [Source("the files crawled", lambda: io.BytesIO(data), size=len(data))],
            origin=ORIGIN,
            trusted=True,
            journal=self._journal,
            keep_bad=self._refused,
            progress=_nothing,
        )
        self._folders = known

    def _refused(self, name: str, line: int, bad: BadLine) -> None:
        self._on_refused(f"{bad.reason}: {bad.text.decode(errors='replace').strip()}")


def _nothing(advance: Advance) -> None:
    """The crawl itself tells how far it is."""
