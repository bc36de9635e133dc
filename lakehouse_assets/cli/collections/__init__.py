"""`collections`: tables of rows that a lake has beside its datasets."""

# they add their verbs to the group
from lakehouse_assets.cli.collections import garbage as garbage
from lakehouse_assets.cli.collections import registry as registry
from lakehouse_assets.cli.collections import rows as rows
from lakehouse_assets.cli.collections import sync as sync
from lakehouse_assets.cli.collections.group import verbs as verbs
