import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore, encoded
from lakehouse_assets.checkpoints.names import check_id, check_name, check_part
from lakehouse_assets.errors import InvalidData

BAD = [
    "",
    ".",
    "..",
    "a..b",
    "a/b",
    "/a",
    "-a",
    ".a",
    "a b",
    "ä",
    "a\n",
    "a\0",
    "*",
    "[a]",
    "x" * 129,
    None,
    7,
    b"a",
]
RESERVED = ["_first", "a.parts", "a.tmp"]
GOOD = ["a", "A.b-c_d~e", "~5fa", "0", "x" * 128, "a.arrow"]
IDS = ["_a", "__x", "a.parts", "0d6e3a52-8a65-4a0f-b1f7-1c2f54b5f6a1"]


class Untouchable:
    """Whoever asks it for anything has gone too far."""

    def probe(self, name: str, base: str) -> None:
        raise AssertionError(name)

    def write(self, name: str, base: str, data: None, *, append: bool, part: str | None = None) -> None:
        raise AssertionError(name)

    def delete_tree(self, path: str) -> None:
        raise AssertionError(path)


STORE = CheckpointStore("memory://none", Untouchable(), Untouchable())


@pytest.mark.parametrize("name", GOOD)
def test_plain_names_are_taken(name: str) -> None:
    assert check_name(name) == check_part(name) == check_id(name, "run_id") == name


@pytest.mark.parametrize("name", IDS)
def test_ids_may_begin_and_end_like_reserved_names(name: str) -> None:
    assert check_id(name, "run_id") == name


@pytest.mark.parametrize("name", BAD)
def test_names_that_are_no_single_part_of_a_path_are_refused_before_anything_is_touched(name: str) -> None:
    run = CheckpointScope.RUN
    for act in (
        lambda: STORE.put(name, run_id="r", scope=run, data=None),
        lambda: STORE.put("n", run_id=name, scope=run, data=None),
        lambda: STORE.put("n", run_id="r", scope=run, data=None, append=True, part=name or "/"),
        lambda: STORE.put("n", run_id="r", correlation_id=name or "/", scope="correlation", data=None),
        lambda: STORE.get(name, run_id="r"),
        lambda: STORE.get("n", run_id=name),
        lambda: STORE.get("n", run_id="r", correlation_id=name or "/"),
        lambda: STORE.cleanup_run(name),
        lambda: STORE.cleanup_correlation(name),
    ):
        with pytest.raises(ValueError, match="cannot be"):
            act()


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_are_refused(name: str) -> None:
    for check in (check_name, check_part):
        with pytest.raises(InvalidData, match="reserved"):
            check(name)


@pytest.mark.parametrize("correlation_id", [None, ""])
def test_a_correlation_needs_an_id(correlation_id: str | None) -> None:
    with pytest.raises(ValueError, match=r"'orders'.*CORRELATION.*pass correlation_id="):
        STORE.put(
            "orders", run_id="r", correlation_id=correlation_id, scope=CheckpointScope.CORRELATION, data=None
        )


def test_a_part_that_is_not_appended_is_refused() -> None:
    with pytest.raises(ValueError, match="append=True"):
        STORE.put("a", run_id="r", scope=CheckpointScope.RUN, data=None, part="p")


def test_a_slash_at_the_end_of_the_root_does_not_count(tmp_path: object) -> None:
    assert CheckpointStore(f"{tmp_path}/").uri == CheckpointStore(str(tmp_path)).uri == f"file://{tmp_path}"


NAMES = st.lists(st.text(st.sampled_from(string.printable + "äß日~._-"), max_size=60), min_size=1, max_size=4)


@given(NAMES, NAMES)
def test_any_names_become_one_that_is_taken_and_no_other_names_the_same(
    one: list[str], other: list[str]
) -> None:
    assert check_name(encoded(*one))
    assert (encoded(*one) == encoded(*other)) == (one == other)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["a"], "a"),
        (["load[eu]", "result"], "load~5beu~5d.result"),
        (["_a"], "~5fa"),
        (["-a"], "~2da"),
        (["a", "parts"], "a.part~73"),
        (["a", "tmp"], "a.tm~70"),
        (["", ""], "~.~"),
        (["a.b"], "a~2eb"),
        (["ä~"], "~c3~a4~7e"),
    ],
)
def test_names_are_encoded_byte_by_byte(names: list[str], wanted: str) -> None:
    assert encoded(*names) == wanted
