"""The types of columns: their names, how a Delta table holds them, and what polars makes of them."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from lakehouse_assets.errors import InvalidData

# polars takes half a second to import: only when a frame is read or written
if TYPE_CHECKING:
    import polars as pl

# our name, Delta's, polars' for what is stored, polars' for what is given out where that is another
_PLAIN = {
    "int": ("long", "Int64", None),
    "int32": ("integer", "Int32", None),
    "int16": ("short", "Int16", None),
    "int8": ("byte", "Int8", None),
    # Delta knows no unsigned numbers
    "uint32": ("long", "Int64", "UInt32"),
    "uint16": ("integer", "Int32", "UInt16"),
    "uint8": ("short", "Int16", "UInt8"),
    "float": ("double", "Float64", None),
    "float32": ("float", "Float32", None),
    "str": ("string", "String", None),
    "bool": ("boolean", "Boolean", None),
    "date": ("date", "Date", None),
    "timestamp": ("timestamp_ntz", "Datetime", None),
    "timestamp_utc": ("timestamp", "Datetime", None),
    "bytes": ("binary", "Binary", None),
    # any JSON value, as text
    "object": ("string", "String", "Object"),
}

# what numpy and lakota call the same
_OTHER_NAMES = {
    "i8": "int", "int64": "int", "i4": "int32", "i2": "int16", "i1": "int8",
    "u4": "uint32", "u2": "uint16", "u1": "uint8",
    "f8": "float", "float64": "float", "double": "float", "f4": "float32",
    "U": "str", "string": "str", "O": "object", "json": "object", "S": "bytes", "binary": "bytes",
    "?": "bool", "boolean": "bool", "M8[D]": "date", "datetime64[D]": "date", "datetime": "timestamp",
    **{f"{kind}[{unit}]": "timestamp" for kind in ("M8", "datetime64") for unit in ("s", "ms", "us")},
}  # fmt: skip

_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_NAMES = f"{', '.join(_PLAIN)} or decimal(10,2)"


@dataclass(frozen=True)
class Type:
    """The type of a column, by its name."""

    name: str

    @property
    def delta(self) -> str:
        """What Delta calls it."""
        return _PLAIN[self.name][0] if self.name in _PLAIN else self.name

    @property
    def stored(self) -> "pl.DataType":
        """How polars holds it while it is stored, compared and sorted."""
        return _stored(self.name)

    @property
    def given(self) -> "pl.DataType":
        """As what polars gives it out."""
        import polars as pl

        other = _PLAIN[self.name][2] if self.name in _PLAIN else None
        return cast("pl.DataType", getattr(pl, other)()) if other else self.stored

    @property
    def can_be_index(self) -> bool:
        """Whether rows can be sorted by it."""
        return self.name not in ("object", "bool")


def parse_type(name: str) -> Type:
    """
    The type that a name means; InvalidData when it means none.

    Example:
        >>> parse_type("int").delta, parse_type("M8[s]").name
        ('long', 'timestamp')
    """
    plain = name.strip()
    plain = plain.lstrip("<>=|") if plain not in _PLAIN else plain
    plain = "str" if re.fullmatch(r"U\d+", plain) else _OTHER_NAMES.get(plain, plain)
    decimal = _DECIMAL.fullmatch(plain)
    if decimal:
        return _decimal(int(decimal[1]), int(decimal[2]))
    if plain not in _PLAIN:
        msg = f"not a type of a column: {name!r}; write {_NAMES}"
        raise InvalidData(msg)
    return Type(plain)


def type_of(dtype: "pl.DataType") -> Type:
    """The type that keeps all values of a polars type; InvalidData when there is none."""
    import polars as pl

    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone in (None, "UTC"):
            return Type("timestamp_utc" if dtype.time_zone else "timestamp")
        msg = f"a column of times in {dtype.time_zone} cannot be kept; convert it to UTC"
        raise InvalidData(msg)
    if isinstance(dtype, pl.Decimal):
        return _decimal(dtype.precision or 38, dtype.scale)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return Type("str")
    if isinstance(dtype, pl.List | pl.Struct | pl.Array):
        return Type("object")
    for name, (_, stored, given) in _PLAIN.items():
        if name not in ("timestamp", "timestamp_utc") and dtype == getattr(pl, given or stored):
            return Type(name)
    msg = f"a column of type {dtype} cannot be kept; cast it to {_NAMES}"
    raise InvalidData(msg)


def _decimal(precision: int, scale: int) -> Type:
    if not (1 <= precision <= 38 and scale <= precision):
        msg = f"no decimal has {precision} digits, {scale} of them behind the point; 38 are the most"
        raise InvalidData(msg)
    return Type(f"decimal({precision},{scale})")


@lru_cache
def _stored(name: str) -> "pl.DataType":
    import polars as pl

    decimal = _DECIMAL.fullmatch(name)
    if decimal:
        return pl.Decimal(int(decimal[1]), int(decimal[2]))
    if name in ("timestamp", "timestamp_utc"):
        return pl.Datetime("us", "UTC" if name == "timestamp_utc" else None)
    return cast("pl.DataType", getattr(pl, _PLAIN[name][1])())
