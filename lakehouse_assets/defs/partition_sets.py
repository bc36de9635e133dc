"""
Sets of partitions that are to be what lies in the lake.

What a set has is asked for *before* the lake is looked at. Whoever makes a dataset or a table while that look goes on
adds its partition too, and it must not be taken away because the look began before it was there.
"""

from collections.abc import Collection

import dagster as dg

Partitions = dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest


def known_partitions(
    instance: dg.DagsterInstance, partitions: dg.DynamicPartitionsDefinition
) -> frozenset[str]:
    """The partitions that a set has by now."""
    return frozenset(instance.get_dynamic_partitions(str(partitions.name)))


def partition_requests(
    partitions: dg.DynamicPartitionsDefinition, known: Collection[str], names: Collection[str]
) -> list[Partitions]:
    """What is to be asked for: the named ones that were not known, and the end of those known that are not named."""
    new, gone = _difference(known, names)
    requests: list[Partitions] = []
    if new:
        requests.append(partitions.build_add_request(new))
    if gone:
        requests.append(partitions.build_delete_request(gone))
    return requests


def keep_partitions(
    instance: dg.DagsterInstance,
    partitions: dg.DynamicPartitionsDefinition,
    known: Collection[str],
    names: Collection[str],
) -> None:
    """The same at once, within a run."""
    new, gone = _difference(known, names)
    if new:
        instance.add_dynamic_partitions(str(partitions.name), new)
    for each in gone:
        instance.delete_dynamic_partition(str(partitions.name), each)


def _difference(known: Collection[str], names: Collection[str]) -> tuple[list[str], list[str]]:
    """Those that are new, and those that are gone."""
    return sorted(set(names).difference(known)), sorted(set(known).difference(names))
