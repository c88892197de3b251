"""JSON of strangers, at bounded memory: what an answer holds, or why it is none."""

import reprlib
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from api.sources.records import BadRecord, Json, PaperRecord, RejectedLine, line_of_text
from api.sources.steps import Found, Got, SourceFailed

LARGEST_JSON: Final = 8 * 2**20  # bytes; 500 papers with abstracts take a third, the parser up to 16 times as much
MOST_OBJECTS: Final = 10_000  # of one list; no source gives more than 500
MOST_VALUES: Final = 1_000_000  # an abstract of 200 words counts 15
SHOWN: Final = 2_000  # characters of an object that became no paper
SAID: Final = 200  # characters of an answer, or of its reason, in a message

_SHORT: Final = reprlib.Repr()
_SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring = 30, 10, SAID


def json_of(got: Got) -> object:
    """Return the value of an answer; SourceFailed where it is no JSON, or too much of it."""
    body = got.body
    if len(body) > LARGEST_JSON:
        raise SourceFailed(f"{got.place}: the answer is larger than {LARGEST_JSON:,} bytes")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise SourceFailed(f"{got.place}: the answer has more than {MOST_VALUES:,} values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        begin = " ".join(body[:SAID].decode(errors="replace").split())
        raise SourceFailed(f"{got.place} did not answer with JSON ({error.msg}) but with: {begin!r}") from error


def list_of(value: object, *, place: str, name: str) -> list[object]:
    """Return a value that must be a list; SourceFailed where the answer has another shape."""
    if isinstance(value, list):
        return value
    said = f": {reason}" if (reason := said_in(value)) else ""
    raise SourceFailed(f"{place}: {name} is not a list{said}")


def said_in(value: object) -> str:
    """Return the reason that an error object gives, empty where there is none."""
    if not isinstance(value, dict):
        return ""
    reasons = [value.get(name) for name in ("error", "message")]
    return " - ".join(" ".join(reason[:SAID].split()) for reason in reasons if isinstance(reason, str))


def said_by(got: Got) -> str:
    """Return the reason that a failure gives in JSON, empty where it gives none."""
    if 200 <= got.status < 300:
        return ""
    try:
        return said_in(json_of(got))
    except SourceFailed:
        return ""


def records_of_objects(
    items: Sequence[object], build: Callable[[Json], PaperRecord], *, place: str, fewest: int = 1
) -> tuple[Found, ...]:
    """Return what `build` makes of each object, or why it is no paper.

    SourceFailed where not one is understood of `fewest` objects or more: then their shape has changed.
    """
    if len(items) > MOST_OBJECTS:
        raise SourceFailed(f"{place}: the answer has more than {MOST_OBJECTS:,} objects")
    found = tuple(_built(item, number, build) for number, item in enumerate(items, start=1))
    first = found[0] if found else None
    if (
        len(found) >= fewest
        and isinstance(first, RejectedLine)
        and all(isinstance(record, RejectedLine) for record in found)
    ):
        raise SourceFailed(f"{place}: none of {len(found)} objects could be read, the first: {first.reason}")
    return found


def _built(item: object, number: int, build: Callable[[Json], PaperRecord]) -> PaperRecord | RejectedLine:
    try:
        if not isinstance(item, dict):
            raise BadRecord("not a JSON object")
        return build(item)
    except BadRecord as error:
        return RejectedLine(number, line_of_text(str(error), name="reason"), _SHORT.repr(item)[:SHOWN])
