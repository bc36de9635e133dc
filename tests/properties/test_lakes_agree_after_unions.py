"""Lakes that change and exchange a dataset in any order have what a simple model says."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.errors import Diverged
from lakehouse_assets.lake import Lake
from tests.factories import person, rows_of, values_of
from tests.properties.test_reads_are_canonical import answer, append, merged, read, rows, small_pieces

# cuts everywhere, as there
__all__ = ["small_pieces"]

Said = dict[tuple[str, str], tuple[int, bool]]
"""Of each entity and name, when it was last said or deleted, and whether it was said."""

LAKES = st.sampled_from("abc")
IDS = st.sampled_from(["x", "y", "z"])
STEPS = st.one_of(
    st.tuples(st.just("import"), LAKES, IDS, st.sampled_from(["Ann", "Bob"])),
    st.tuples(st.just("delete"), LAKES, IDS, st.just("")),
    st.tuples(st.sampled_from(["merge", "compact"]), LAKES, st.just(""), st.just("")),
    st.tuples(st.just("pull"), LAKES, LAKES, st.just("")),
)


def united(ours: Said, theirs: Said) -> Said:
    return {
        key: max(each[key] for each in (ours, theirs) if key in each) for key in ours.keys() | theirs.keys()
    }


def live(said: Said) -> list[tuple[str, str, str]]:
    return sorted((entity, "name", name) for (entity, name), (_, is_said) in said.items() if is_said)


def pull(here: Lake, there: Lake) -> None:
    try:
        here.pull(there)
    except Diverged:
        here.pull(there, resolve="union")


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=4, max_size=14))
def test_lakes_agree_after_unions(steps: list[tuple[str, str, str, str]]) -> None:
    with TemporaryDirectory() as folder:
        lakes = {name: Lake(Path(folder, name)) for name in "abc"}
        first = lakes["a"].create_dataset("acme")
        first.import_entities([person("x", name=["Eve"])])
        said: dict[str, Said] = {name: {("x", "Eve"): (0, True)} for name in "abc"}
        for name in "bc":
            lakes[name].pull(lakes["a"])
        for at, (what, name, other, value) in enumerate(steps, 1):
            acme = lakes[name].dataset("acme")
            if what == "import":
                acme.import_entities([person(other, name=[value])])
                said[name][(other, value)] = (at, True)
            elif what == "delete":
                acme.delete([other])
                for key, (_, is_said) in list(said[name].items()):
                    if key[0] == other and is_said:
                        said[name][key] = (at, False)
            elif what == "pull" and name != other:
                pull(lakes[name], lakes[other])
                said[name] = united(said[name], said[other])
            elif what in ("merge", "compact"):
                getattr(acme, what)()
            assert values_of(lakes[name].dataset("acme")) == live(said[name])
        # to one, and from there to the others
        for name in "bc":
            pull(lakes["a"], lakes[name])
        for name in "bc":
            assert [step.state for step in lakes[name].plan_pull(lakes["a"])] in (
                ["behind"],
                ["same"],
                ["diverged"],
            )
            pull(lakes[name], lakes["a"])
            assert lakes[name].plan_pull(lakes["a"])[0].state == "same"
        found = [rows_of(lakes[name].dataset("acme")) for name in "abc"]
        assert found[0].equals(found[1])
        assert found[0].equals(found[2])
        everything = united(united(said["a"], said["b"]), said["c"])
        assert values_of(lakes["b"].dataset("acme")) == live(everything)


BATCHES = st.lists(
    st.tuples(st.sampled_from(["ours", "theirs", "theirs small"]), st.lists(rows(), min_size=1, max_size=8)),
    max_size=3,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(rows(), min_size=1, max_size=6), BATCHES, BATCHES, st.booleans())
def test_a_union_has_the_rows_that_count_of_all(
    before: list[Any], ours: list[Any], theirs: list[Any], is_merged: bool
) -> None:
    with TemporaryDirectory() as folder:
        here, there = Lake(Path(folder, "here")), Lake(Path(folder, "there"))
        append(there.create_dataset("acme"), before, kind="ours")
        here.pull(there)
        mine, yours = list(before), list(before)
        for lake, table, batches in ((here, mine, ours), (there, yours, theirs)):
            for kind, batch in batches:
                append(lake.dataset("acme"), batch, kind=kind)
                table += batch
        if is_merged:
            there.dataset("acme").merge()
            # old deletions are forgotten there: what they deleted comes back from here
            yours = merged(yours)
        everything = mine + yours
        here.pull(there, resolve="union")
        assert read(here.dataset("acme")) == answer(everything)
        there.pull(here)
        assert read(there.dataset("acme")) == answer(everything)
        assert there.plan_pull(here)[0].state == here.plan_pull(there)[0].state == "same"
