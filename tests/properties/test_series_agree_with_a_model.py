"""Series do what a list of rows does, in whatever files and versions they lie."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lakehouse_assets.collections import Repo, Schema

Rows = list[tuple[int, int, float]]
KEYS = st.integers(-6, 6)
FRAMES = st.lists(st.tuples(KEYS, st.integers(0, 2), st.floats(-9, 9)), max_size=6).map(
    lambda rows: sorted(rows, key=lambda row: row[:2])
)
SIDES = st.sampled_from(["left", "right", "both", "none"])


def inside(row: tuple[Any, ...], start: Any, stop: Any, closed: str) -> bool:
    first, last = row[: len(start)], row[: len(stop)]
    above = first >= start if closed in ("left", "both") else first > start
    below = last <= stop if closed in ("right", "both") else last < stop
    return bool(above and below)


class SeriesMachine(RuleBasedStateMachine):
    """Writes, deletes and reorganises a series, and keeps what it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.repo = Repo()
        self.collection = self.repo.create_collection(Schema(a="int*", b="int*", v="float"), "c")
        self.rows: Rows = []
        self.history: list[tuple[int, Rows]] = []

    def _write(self, frame: Rows, **named: Any) -> None:
        columns = {name: [row[at] for row in frame] for at, name in enumerate("abv")}
        (self.collection / "s").write(columns, **named)

    def _replaced(self, frame: Rows, start: Any, stop: Any, closed: str) -> None:
        kept = [row for row in self.rows if not inside(row, start, stop, closed)]
        # frames and what stays never share an index, so that a stable sort keeps the order of both
        self.rows = sorted([*kept, *frame], key=lambda row: row[:2])

    @rule(frame=FRAMES)
    def write(self, frame: Rows) -> None:
        self._write(frame)
        if frame:
            self._replaced(frame, frame[0][:2], frame[-1][:2], "both")

    @rule(frame=FRAMES, start=KEYS, stop=KEYS, closed=SIDES)
    def write_a_range(self, frame: Rows, start: int, stop: int, closed: str) -> None:
        start, stop = sorted((start, stop))
        fitting = [row for row in frame if inside(row, (start,), (stop,), closed)]
        self._write(fitting, start=start, stop=stop, closed=closed)
        self._replaced(fitting, (start,), (stop,), closed)

    @rule(frames=st.lists(FRAMES.filter(bool), max_size=4))
    def write_several(self, frames: list[Rows]) -> None:
        with self.collection.multi():
            for frame in frames:
                self._write(frame)
                self._replaced(frame, frame[0][:2], frame[-1][:2], "both")

    @rule(start=KEYS, stop=KEYS, closed=SIDES)
    def delete(self, start: int, stop: int, closed: str) -> None:
        start, stop = sorted((start, stop))
        (self.collection / "s").delete(start, stop, closed)
        self._replaced([], (start,), (stop,), closed)

    @rule(most=st.integers(1, 3))
    def defrag(self, most: int) -> None:
        self.collection.defrag(most)

    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        if self.history:
            version, rows = data.draw(st.sampled_from(self.history))
            self.collection.restore(version=version)
            self.rows = rows

    @rule()
    def open_again(self) -> None:
        self.collection = Repo(self.repo.location).get("c")

    @invariant()
    def has_its_rows(self) -> None:
        series = self.collection / "s"
        assert series.frame().rows() == self.rows
        assert (len(series), bool(series)) == (len(self.rows), bool(self.rows))
        version = self.collection.table.log.snapshot().version
        if not self.history or self.history[-1][0] != version:
            self.history.append((version, list(self.rows)))

    @rule(data=st.data(), start=KEYS, stop=KEYS, closed=SIDES)
    def read(self, data: st.DataObject, start: int, stop: int, closed: str) -> None:
        version, rows = data.draw(st.sampled_from(self.history)) if self.history else (0, [])
        wanted = [row for row in rows if inside(row, (start,), (stop,), closed)] if start <= stop else []
        series = self.collection / "s"
        assert series.frame(start, stop, closed, version=version).rows() == wanted
        if version == self.history[-1][0]:
            assert series.tail(2, start, stop, closed).rows() == wanted[-2:]
            pages = [page.rows() for page in series.paginate(2, start, stop, closed)]
            assert pages == [wanted[at : at + 2] for at in range(0, len(wanted), 2)]


TestSeries = SeriesMachine.TestCase
TestSeries.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
