"""Keeping a folder to oneself for the moment of a swap."""

import fcntl
import os
import re
import threading
import time

import pytest

from lakehouse_assets.errors import StorageError
from lakehouse_assets.storage import guards
from lakehouse_assets.storage.guards import guarded
from lakehouse_assets.storage.location import Location


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(guards, "PATIENCE", 0.1)


def held(path):
    """A lock as a stopped process keeps it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_who_waits_for_a_process_that_stands_still_is_told_which(tmp_path, impatient):
    location = Location(tmp_path)
    location.write("note", b"old")
    descriptor = held(tmp_path / ".guard")
    with pytest.raises(
        StorageError, match=rf"\.guard: process {os.getpid()} has kept .* Let it go on or end it"
    ):
        location.swap("note", b"old", b"new")
    os.close(descriptor)
    assert location.swap("note", b"old", b"new")


def test_where_locks_are_not_listed_the_process_is_not_named(tmp_path, impatient, monkeypatch):
    monkeypatch.setattr(guards, "_LOCKS", str(tmp_path / "none"))
    descriptor = held(tmp_path / "guard")
    with (
        pytest.raises(StorageError, match=re.escape("guard: another process has kept")),
        guarded(str(tmp_path / "guard")),
    ):
        pytest.fail("two held it")
    os.close(descriptor)


def test_a_lock_that_is_let_go_is_taken(tmp_path):
    descriptor = held(tmp_path / "guard")
    threading.Timer(0.1, os.close, [descriptor]).start()
    began = time.monotonic()
    with guarded(str(tmp_path / "guard")):
        assert time.monotonic() - began >= 0.09


def test_the_lock_is_free_after_an_error(tmp_path):
    path = str(tmp_path / "new" / "guard")
    with pytest.raises(ValueError, match="broken"), guarded(path):
        raise ValueError("broken")
    os.close(held(path))
