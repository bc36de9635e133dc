"""A FollowTheMoney data lakehouse as a graph of Dagster assets."""

__version__ = "0.1.0"
