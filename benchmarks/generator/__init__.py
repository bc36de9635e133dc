"""Deterministic FollowTheMoney entities in any number."""
