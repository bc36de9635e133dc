"""Whatever happens to a dataset: who applies every difference in order to the first export has the last one."""

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets import layout
from lakehouse_assets.diffs import between, lines
from lakehouse_assets.exports import digests
from lakehouse_assets.lake import Lake
from tests.dying import death
from tests.factories import entity, make_dataset
from tests.replay import Replay

IDS = ["a", "b", "ba", "c", 'd"', "é", "f", "ff", "g"]
KINDS = {
    layout.ENTITIES: "entities",
    layout.DOCUMENTS: "documents",
    layout.DOCUMENTS_CRAWL: "documents.crawl",
}
HASHES = ["ab" * 32, "cd" * 32]
NAMES = ["Jane", 'Joe, "J"', "Zoë\n", "\\"]


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Cuts everywhere: a few rows are read, sorted and compared at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "ROWS", 3)
        patch.setattr(digests, "RUN_ROWS", 4)
        patch.setattr(lines, "_GAP", 20)
        patch.setattr(lines, "_MOST", 600)
        patch.setattr(between, "MOST_AT_ONCE", 2)
        yield


@st.composite
def entities(draw):
    """A person, a file or a folder, of a few ids: they change, come and go."""
    name = draw(st.sampled_from(IDS))
    kind = draw(st.sampled_from(["Person", "Person", "Document", "Folder"]))
    if kind == "Person":
        values = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
        return entity(f"{name}-p", kind, name=draw(values))
    parents = draw(st.lists(st.sampled_from([f"{name}-f" for name in IDS]), max_size=2, unique=True))
    if kind == "Folder":
        return entity(f"{name}-f", kind, fileName=[draw(st.sampled_from(NAMES))], parent=parents[:1])
    checksum = draw(st.sampled_from(HASHES))
    return entity(
        f"{name}-d", kind, fileName=[draw(st.sampled_from(NAMES))], contentHash=[checksum], parent=parents
    )


IMPORT = st.tuples(
    st.just("import"),
    st.lists(entities(), min_size=1, max_size=8),
    st.sampled_from(["crawl", "crawl", "other"]),
    st.booleans(),
)
STEPS = st.one_of(
    IMPORT,
    IMPORT,
    st.tuples(
        st.just("delete"), st.lists(st.sampled_from([f"{name}-{kind}" for name in IDS for kind in "pdf"]))
    ),
    st.tuples(st.just("merge")),
    st.tuples(st.just("make")),
    st.tuples(st.just("make")),
    st.tuples(st.just("export without")),
    st.tuples(st.just("compress"), st.sampled_from(["gz", "zst"])),
    st.tuples(st.just("publish"), st.sampled_from(["https://one.example.org", "https://two.example.org/x"])),
    st.tuples(st.just("die"), st.integers(1, 60)),
)


def take(dataset, step):
    what, *content = step
    if what == "import":
        found, origin, replace = content
        dataset.import_entities(found, origin=origin, replace=replace)
    elif what == "delete":
        dataset.delete(content[0])
    elif what == "merge":
        dataset.merge()
    elif what == "make":
        dataset.make()
    elif what == "export without":
        for name in ("entities", "documents"):
            dataset.export(name, make_diff=False)
    elif what == "compress":
        dataset.configure(compression=content[0])
    elif what == "publish":
        dataset.configure(public_url_prefix=content[0])
    else:
        with death(content[0]):
            dataset.make()
        dataset.unlock()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(entities(), max_size=6), steps=st.lists(STEPS, max_size=9))
def test_all_differences_on_top_of_the_first_export_are_the_last_export(tmp_path_factory, first, steps):
    lake = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(lake)
    if first:
        dataset.import_entities(first, origin="crawl")
    dataset.make()
    replays = {kind: Replay(dataset, key) for key, kind in KINDS.items()}
    past = {kind: [(version(dataset, kind), replays[kind].content.copy())] for kind in replays}
    for step in [*steps, ("make",)]:
        # a new process each time
        dataset = Lake(lake).dataset("acme")
        take(dataset, step)
        if step[0] == "make":
            for kind, replay in replays.items():
                replay.catch_up()
                past[kind].append((version(dataset, kind), replay.content.copy()))
    assert [check for check in dataset.checks() if not check.passed and check.severity == "ERROR"] == []
    assert dataset.make().skipped
    for kind, replay in replays.items():
        for (since, content), (until, expected) in combinations(past[kind][-4:], 2):
            replay.content = content.copy()
            changes = dataset.differences.between(since, until, kind=kind)
            # each change is one, whatever lay in between
            assert replay.apply(b"".join(changes.blocks())) == changes.counts.total()
            assert replay.content == expected


def version(dataset, kind):
    """The time of the newest version."""
    artifact = "entities" if kind == "entities" else "documents"
    return dataset.differences.status(artifact).states[kind].at
