import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.state import names

JOBS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=15).filter(
    lambda job: job not in (".", "..")
)


@given(JOBS)
def test_any_name_is_one_part_of_a_path_and_comes_back(job: str) -> None:
    for key in (names.running(job), names.completed(job)):
        assert not set("/\\\0 :*?") & set(key)
        assert not key.startswith(".")
        assert key.isascii()
        assert names.job_of(key) == job


@given(JOBS, JOBS)
def test_two_jobs_never_share_a_file(one: str, other: str) -> None:
    mine = {names.running(one), names.completed(one), names.lock(one)}
    for job in {other, f"{one}_running", f"{one}_completed", f"{one}_running.json"} - {one}:
        assert mine.isdisjoint({names.running(job), names.completed(job), names.lock(job)})


@pytest.mark.parametrize("job", ["", ".", "..", "\ud800", "x" * 300, "/" * 90, None, 1])
def test_what_can_be_no_name_is_refused(job: str) -> None:
    with pytest.raises(InvalidData, match=r"cannot be|too long"):
        names.running(job)


@pytest.mark.parametrize(
    "key", ["a.json", "_running.json", "a b_running.json", "%zz_completed.json", "%2f_completed.json"]
)
def test_other_files_are_of_no_job(key: str) -> None:
    assert names.job_of(key) is None
