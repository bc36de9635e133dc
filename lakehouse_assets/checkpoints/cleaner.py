"""Deleting the folder of a run or a correlation."""

from collections.abc import Mapping

from lakehouse_assets.storage.location import Location


class FolderCleaner:
    """
    Deletes folders on local disk, in memory and on S3.

    Example:
        >>> FolderCleaner().delete_tree("memory://checkpoints/runs/4711")
    """

    def __init__(self, storage_options: Mapping[str, str] | None = None) -> None:
        self._options = dict(storage_options or {})

    def delete_tree(self, path: str) -> None:
        """Delete a folder with everything in it; nothing when there is none."""
        parent, _, name = path.rstrip("/").rpartition("/")
        try:
            Location(parent, self._options).delete_tree(name)
        except FileNotFoundError:
            # somebody else deletes the same: what he left out until now is all there is to do
            Location(parent, self._options).delete_tree(name)
