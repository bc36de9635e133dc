"""Whatever is stored, named, forgotten and deleted in whichever order: no content goes that somebody needs."""

import hashlib
import io
import tempfile
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from lakehouse_assets.storage.garbage import Clock
from tests.factories import entity

TEXTS = [b"one", b"two"]
CHECKSUMS = [hashlib.sha256(text).hexdigest() for text in TEXTS]
NAMES = ["acme", "other"]

WHERE = st.tuples(st.sampled_from(NAMES), st.sampled_from(range(len(TEXTS))))
CHANGES = st.tuples(
    st.sampled_from(
        ["put", "forget", "name", "unname", "wait", "flush", "merge", "map", "mark", "sweep", "gc"]
    ),
    WHERE,
)


class Model:
    """What is needed, and what must be there because of it."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.datasets = {name: lake.create_dataset(name) for name in NAMES}
        self.paths: set[tuple[str, int]] = set()
        self.named: set[tuple[str, int]] = set()
        self.mapped: set[tuple[str, int]] = set()
        self.there: set[tuple[str, int]] = set()

    def change(self, what: str, name: str, number: int) -> None:
        """Do something with a content of a dataset."""
        dataset, at, checksum = self.datasets[name], (name, number), CHECKSUMS[number]
        document = entity(f"d{number}", "Document", contentHash=[checksum])
        if what == "put":
            dataset.archive.put(io.BytesIO(TEXTS[number]), key=f"{number}.txt")
            self.paths.add(at)
            self.there.add(at)
        elif what == "forget":
            for file in dataset.archive.get_all_files(checksum):
                dataset.archive.delete(file.id, checksum)
            self.paths.discard(at)
        elif what in ("name", "wait"):
            dataset.import_entities([document], trusted=True, journal=what == "wait")
            self.named.add(at)
        elif what == "unname":
            dataset.flush()
            dataset.delete([f"d{number}"])
            self.named.discard(at)
        elif what == "flush":
            dataset.flush()
        elif what == "merge":
            dataset.merge(force=True)
            dataset.vacuum(force=True)
        elif what == "map":
            dataset.location.write(layout.mapping(checksum), b"")
            self.mapped.add(at)
        elif what == "mark":
            self.lake.gc_mark()
        elif what == "sweep":
            self._lose(self.lake.gc_sweep(0).deleted)
        else:
            self._lose(self.lake.gc(0).deleted)

    def _lose(self, deleted: tuple[str, ...]) -> None:
        named = {number for _, number in self.named}
        for name, number in list(self.there):
            if f"{name}/{layout.blob(CHECKSUMS[number])}" in deleted:
                assert (name, number) not in self.paths | self.mapped
                assert number not in named
                self.there.discard((name, number))

    def check(self) -> None:
        """Everything is there that must be, and nothing that was deleted."""
        for name, dataset in self.datasets.items():
            found = {
                (name, number)
                for number, checksum in enumerate(CHECKSUMS)
                if dataset.archive.exists(checksum)
            }
            assert found == {at for at in self.there if at[0] == name}


@settings(max_examples=25, deadline=None)
@given(changes=st.lists(CHANGES, min_size=3, max_size=12))
def test_no_content_goes_that_somebody_needs(changes: list[tuple[str, tuple[str, int]]]) -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    with tempfile.TemporaryDirectory() as folder, patch.object(Clock, "now", later):
        lake = Lake(folder)
        lake.settings = lake.settings.model_copy(update={"grace_period_days": 0})
        model = Model(lake)
        for what, at in changes:
            model.change(what, *at)
        model.check()
        assert lake.check_references(sample=0).metadata["missing"] == sum(
            (name, number) not in model.there for name, number in model.mapped
        )
        # what nobody needs goes in two steps
        lake.gc_mark()
        needed = {number for _, number in model.named}
        model.change("sweep", "acme", 0)
        kept = {at for at in model.there if at in model.paths | model.mapped or at[1] in needed}
        assert kept <= model.there
        model.check()
