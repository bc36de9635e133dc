from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets import layout

AT = datetime(2026, 11, 21, 4, 11, 1, 176954, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_a_stamp_comes_back_as_the_same_moment(at: datetime) -> None:
    assert layout.parse_stamp(layout.stamp(at)) == at


def test_paths_are_those_that_other_programs_use() -> None:
    assert layout.stamp(AT.astimezone(timezone(timedelta(hours=5)))) == "20261121T041101176954Z"
    assert layout.snapshot("index.json", AT) == "versions/2026/11/20261121T041101176954Z/index.json"
    assert (
        layout.partition_tag("0", "thing", "bulk", "last_updated") == "statements/0/thing/bulk/last_updated"
    )
    assert layout.blob("abcdef12") == "archive/ab/cd/ef/abcdef12/blob"
    assert layout.diff(layout.DIFF_DOCUMENTS, AT) == (
        "diffs/exports/documents.csv/20261121T041101176954Z.diff.csv"
    )
    assert layout.compressed(layout.ENTITIES, "zst") == "entities.ftm.json.zst"
    assert layout.compressed(layout.ENTITIES, None) == "entities.ftm.json"


def test_side_files_of_leases_are_told_apart() -> None:
    assert layout.append_token(layout.append_holder("abc")) == "abc"
    assert layout.append_token(layout.WRITE_LOCK) is None
    assert layout.is_target_lock(layout.target_lock("exports/statements.csv"))
    assert not layout.is_target_lock(layout.WRITE_LOCK)


def test_a_stamp_of_the_documentation_is_read() -> None:
    assert layout.parse_stamp("2026-11-21T04:11:01") == AT.replace(microsecond=0)
    with pytest.raises(ValueError, match="notes"):
        layout.parse_stamp("notes")
