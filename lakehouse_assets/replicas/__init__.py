"""
Bringing datasets from one lake to another: their files, statements, documents and exports.

    copying     one file to another place, checked on its way
    archives    the source files: what is missing here, by its checksum
    marks       what tells one state of a table from any other, and which states are part of it
    tables      how a table here stands to the one there, and making it the same
    union       the rows of two tables that were both changed
    documents   config.yml, pipeline.yml and mappings, which people change
    artifacts   exports, differences and tags, which are only taken where they belong to the table
    pull        all of these, in an order that leaves every dataset whole at any moment
"""

from lakehouse_assets.replicas.steps import DatasetStep as DatasetStep
from lakehouse_assets.replicas.steps import Pulled as Pulled
from lakehouse_assets.replicas.steps import Resolve as Resolve
