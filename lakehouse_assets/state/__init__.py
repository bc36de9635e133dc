"""
Bookmarks: how far a job got, kept beside the data.

Example:
    >>> from lakehouse_assets.state import StateStore
    >>> store = StateStore("data/acme/state")
    >>> with store.session("orders") as state:
    ...     state.add_element("last_id", 4711)
    >>> store.last_completed("orders")["last_id"]
    4711
"""

from lakehouse_assets.state.data import Json as Json
from lakehouse_assets.state.data import StateData as StateData
from lakehouse_assets.state.header import Status as Status
from lakehouse_assets.state.store import StateStore as StateStore

__all__ = ["Json", "StateData", "StateStore", "Status"]
