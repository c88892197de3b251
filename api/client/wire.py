"""JSON as typed values: one reader for all of them, by their annotations."""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from api.client.errors import UnexpectedAnswer

T = TypeVar("T")
Read = Callable[[Any], Any]


def reader(wanted: type[T]) -> Callable[[bytes], T]:
    """Return a function that reads a body as this dataclass; UnexpectedAnswer when it does not fit."""
    key: Any = wanted  # a class can be hashed, though mypy has its doubts

    def read(body: bytes) -> T:
        try:
            value: T = _reader_of(key)(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnexpectedAnswer(f"this is no {wanted.__name__} as Paperfeed answers it: {error!r}") from error
        return value

    return read


def read_text(body: bytes) -> str:
    """Return a body that is text."""
    return body.decode("utf-8", "replace")


@cache
def _reader_of(wanted: Hashable) -> Read:
    if isinstance(wanted, type) and is_dataclass(wanted):
        return _dataclass_reader(wanted)
    if wanted is Any:
        return lambda value: value
    if wanted is datetime:
        return datetime.fromisoformat
    if wanted is float:
        return lambda value: float(_expect((int, float), value))
    origin, arguments = get_origin(wanted), get_args(wanted)
    if not arguments or origin is dict:
        return lambda value: _expect(origin or wanted, value)
    return _reader_of_parts(origin, arguments)


def _reader_of_parts(origin: Any, arguments: tuple[Any, ...]) -> Read:
    if origin is Literal:  # a name the server got later is no error
        return lambda value: _expect(str, value)
    if origin is tuple:
        item = _reader_of(arguments[0])
        return lambda value: tuple(item(each) for each in _expect(list, value))
    if origin is Mapping:
        item = _reader_of(arguments[1])
        return lambda value: {name: item(each) for name, each in _expect(dict, value).items()}
    (inner,) = (each for each in arguments if each is not type(None))
    read = _reader_of(inner)
    return lambda value: None if value is None else read(value)


def _expect(wanted: Any, value: Any) -> Any:
    if not isinstance(value, wanted):
        raise TypeError(f"{type(value).__name__} where {wanted} was expected")
    return value


def _dataclass_reader(wanted: type) -> Read:
    hints = get_type_hints(wanted)
    plan = [(each.name, _wire_name(each), _is_optional(each), hints[each.name]) for each in fields(wanted)]
    readers = [(name, key, optional, _reader_of(hint)) for name, key, optional, hint in plan]

    def read(value: Any) -> Any:
        found = _expect(dict, value)
        return wanted(
            **{name: read(found[key]) for name, key, optional, read in readers if not optional or key in found}
        )

    return read


def _wire_name(each: Field[Any]) -> str:
    name: str = each.metadata.get("name", each.name)
    return name


def _is_optional(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING
