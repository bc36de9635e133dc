"""What tests that kill processes have in common."""

import random

import pytest


@pytest.fixture
def long_locks(monkeypatch):
    """Nobody gets over a dead lock by waiting: all leases outlive the test."""
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "60")
    monkeypatch.setenv("LAKEHOUSE_LEASE_SECONDS", "3600")


@pytest.fixture
def chance():
    """Random moments, other ones in each run; the seed is shown when the test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)
