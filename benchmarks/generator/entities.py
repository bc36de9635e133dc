"""The generated entities: each depends on the seed, its number and the revision alone.

So a sequence is prefix-stable (the first 10k entities are the same in a run of 10k and of 100k) and an
entity can refer to any other one without keeping it.
"""

from generator.intervals import Intervals
from generator.maker import BLOCK, SCHEMA_OF, Props
from generator.things import Things


def _distinct(props: Props) -> Props:
    """The properties that have values, each value once."""
    return {prop: list(dict.fromkeys(values)) for prop, values in props.items() if values}


class EntityMaker(Things, Intervals):
    """Makes the entities of one sequence by their number: `EntityMaker(seed=1).make(42)`."""

    def make(self, number: int) -> tuple[str, Props]:
        """Schema and properties of the entity with this number."""
        schema = SCHEMA_OF[number % BLOCK]
        self._number = number
        self.dice.reset(self.seed, number, 0)
        if schema in ("Company", "Organization", "LegalEntity"):
            return schema, _distinct(self._firm(schema))
        if schema == "Document":
            name, props = self._document()
            return name, _distinct(props)
        return schema, _distinct(getattr(self, f"_{schema.lower()}")())
