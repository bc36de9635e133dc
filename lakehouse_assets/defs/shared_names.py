"""How collections are called as partitions: every label is a name, and no two have the same one."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from lakehouse_assets.collections.repo import COLLECTION, DATASET

# what has a meaning in the names of Dagster's partitions, or in ours
_SPECIAL = re.compile(r"[%/|,\[\]\x00-\x1f]|\.(?=\.\.)")


@dataclass(frozen=True, order=True)
class Shared:
    """
    A collection, or a dataset, which has a namespace of its own.

    Example:
        >>> Shared("exchange rates").partition, Shared("acme", "dataset").partition
        ('exchange rates', 'dataset/acme')
        >>> Shared.of("dataset/acme").is_dataset
        True
    """

    label: str
    namespace: str = COLLECTION

    @property
    def partition(self) -> str:
        """Its name as a partition."""
        label = _quoted(self.label)
        return label if self.namespace == COLLECTION else f"{_quoted(self.namespace)}/{label}"

    @property
    def is_dataset(self) -> bool:
        """Whether it is a dataset."""
        return self.namespace == DATASET

    def at(self, remote: str) -> str:
        """The name of the partition that brings it from a remote, or there."""
        return f"{remote}/{self.partition}"

    @classmethod
    def of(cls, partition: str) -> "Shared":
        """What a partition is called after."""
        namespace, slash, label = partition.rpartition("/")
        return cls(unquote(label), unquote(namespace) if slash else COLLECTION)


def at_remote(partition: str) -> tuple[str, Shared]:
    """The remote and the collection that the name of a partition has."""
    remote, _, rest = partition.partition("/")
    return remote, Shared.of(rest)


def _quoted(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", text)
