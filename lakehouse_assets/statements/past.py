"""The table as it was: at a version, or at a time, as far back as its log and its files reach."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import iso_z, to_utc
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.answers import explain_text
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import deltalake


class PastTable(StatementTable):
    """
    The statements table of a dataset at one version, whatever is committed meanwhile; it is only read.

    Example:
        >>> PastTable(Location("data/acme"), 3).snapshot().version
        3
    """

    def __init__(self, dataset: Location, version: int) -> None:
        super().__init__(dataset)
        self._version = version
        self._table: deltalake.DeltaTable | None = None

    def _open(self) -> "deltalake.DeltaTable | None":
        import deltalake
        from deltalake.exceptions import DeltaError

        if self._table is None:
            try:
                self._table = deltalake.DeltaTable(
                    self._uri(), version=self._version, storage_options=self._options()
                )
            except (OSError, DeltaError) as exc:
                msg = (
                    f"version {self._version} of {self.location.uri} is not known, or not any more: "
                    f"{explain_text(str(exc))}; ask for a later one"
                )
                raise NotFound(msg) from exc
        return self._table


def version_at(table: StatementTable, when: datetime) -> int:
    """The version that was the newest at a time; NotFound when the log does not reach back to it."""
    limit = to_utc(when).timestamp() * 1000
    commits = table.commits()
    found = [version for version, millis in commits if millis <= limit]
    if not found:
        if not commits:
            msg = f"{table.location.uri} is no table yet; import something first"
            raise NotFound(msg)
        since = datetime.fromtimestamp(min(millis for _, millis in commits) / 1000, UTC)
        msg = f"the statements are known since {iso_z(since)}, and {iso_z(when)} is earlier; ask for a later time"
        raise NotFound(msg)
    return max(found)
