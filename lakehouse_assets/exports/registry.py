"""All exports."""

from lakehouse_assets.exports.base import Export
from lakehouse_assets.exports.documents import DocumentsCsv
from lakehouse_assets.exports.entities_json import EntitiesJson
from lakehouse_assets.exports.index import IndexJson
from lakehouse_assets.exports.statements_csv import StatementsCsv
from lakehouse_assets.exports.statistics import StatisticsJson

_ALL: list[Export] = [StatementsCsv(), EntitiesJson(), DocumentsCsv(), StatisticsJson(), IndexJson()]

EXPORTS: dict[str, Export] = {export.name: export for export in _ALL}
"""By name, in the order in which `make` writes them: each after what it is made from."""
