"""Repeatable choices, and numbers whose check digits are right."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Choices that repeat: only `random()` is used, whose sequence Python keeps stable."""

    def __init__(self) -> None:
        self._rng = random.Random()
        self.roll = self._rng.random

    def reset(self, seed: int, number: int, stream: int) -> None:
        """Start the sequence that belongs to one entity and one purpose."""
        self._rng.seed((seed << 96) | (number << 32) | stream)

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        return int(self.roll() * limit)

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return low + int(self.roll() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.roll() * len(items))]

    def chance(self, probability: float) -> bool:
        """True in this share of the calls."""
        return self.roll() < probability

    def count(self, *weights: int) -> int:
        """0, 1, 2 ... with these weights in percent; the last number when they do not add up to 100."""
        at = self.roll() * 100
        for number, weight in enumerate(weights):
            at -= weight
            if at < 0:
                return number
        return len(weights)

    def digits(self, count: int) -> str:
        """Digits of which the first is not 0."""
        return str(self.between(10 ** (count - 1), 10**count - 1))

    def date(self, first: int, last: int) -> str:
        """A day, now and then only its month or year."""
        at = self.below(20)
        year = self.between(first, last)
        if at == 0:
            return str(year)
        if at == 1:
            return f"{year}-{self.between(1, 12):02d}"
        return f"{year}-{self.between(1, 12):02d}-{self.between(1, 28):02d}"

    def inn(self) -> str:
        """A Russian tax number of a company."""
        number = self.digits(9)
        weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
        return f"{number}{sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11 % 10}"

    def ogrn(self) -> str:
        """A Russian company registration number."""
        number = f"1{self.between(2, 23):02d}{self.between(1, 89):02d}{self.digits(7)}"
        return f"{number}{int(number) % 11 % 10}"

    def lei(self) -> str:
        """A Legal Entity Identifier."""
        number = "5493" + "00" + "".join(self.pick("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(12))
        checksum = 98 - int("".join(str(int(char, 36)) for char in number) + "00") % 97
        return f"{number}{checksum:02d}"

    def imo(self) -> str:
        """A ship's IMO number."""
        number = self.digits(6)
        return f"IMO{number}{sum(int(d) * w for d, w in zip(number, range(7, 1, -1), strict=True)) % 10}"
