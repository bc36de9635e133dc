"""Saying within a run that an asset changed which the run does not make."""

import dagster as dg

from lakehouse_assets.defs import artifacts, metadata
from lakehouse_assets.defs.events import materialization
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.lake import Dataset


def tell_statements(
    context: dg.AssetExecutionContext, naming: Naming, dataset: Dataset, description: str
) -> None:
    """Say that the statements have another content, so that what is made from them is made again."""
    context.log_event(
        materialization(
            naming,
            artifacts.STATEMENTS,
            dataset.content_version(),
            metadata.of_statements(dataset, None),
            partition=dataset.name,
            description=description,
        )
    )
