"""Any stream of papers in a known format, recognised by its first bytes and the shape of its objects."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import orjson

from api.sources import arxiv, huggingface, jsonl, snapshot
from api.sources.framing import Piece, Window, split_array, split_lines
from api.sources.records import BadRecord, Json, PaperRecord, RejectedLine

Parser: TypeAlias = Callable[[Json], PaperRecord]

PARSERS: Final[dict[str, Parser]] = {
    "jsonl": jsonl.record_of,
    "arxiv-snapshot": snapshot.record_of,
    "huggingface": huggingface.record_of,
}
ATOM: Final = "arxiv-atom"
FORMATS: Final = (*PARSERS, ATOM)

_ATOM_STARTS: Final = (b"<?xml", b"<feed", b"<entry", b"<!--", b"<!DOC")
_SNAPSHOT_KEYS: Final = frozenset({"authors_parsed", "versions", "update_date"})
_HUGGINGFACE_KEYS: Final = frozenset({"publishedAt", "submittedOnDailyAt", "ai_keywords", "numComments"})


def parse_stream(chunks: Iterable[bytes], *, name: str | None = None) -> Iterator[PaperRecord | RejectedLine]:
    """Give each paper of a stream, or why a line is none; `name` is one of FORMATS, None recognises.

    Objects may stand one a line or in JSON arrays. Memory stays constant whatever the length of the stream.
    """
    window = Window(chunks)
    parser = PARSERS.get(name or "")
    while first := window.start():
        if name == ATOM or (name is None and first.startswith(_ATOM_STARTS)):
            yield from arxiv.parse_feed(window)
            return
        pieces = split_array(window) if first.startswith(b"[") else split_lines(window)
        for piece in pieces:
            yield _parsed(piece, parser)


def recognised(line: Json) -> Parser:
    """Return the parser for an object of this shape."""
    if isinstance(line.get("paper"), dict) or not _HUGGINGFACE_KEYS.isdisjoint(line):
        return huggingface.record_of
    if "abstract" in line and not _SNAPSHOT_KEYS.isdisjoint(line):
        return snapshot.record_of
    return jsonl.record_of


def _parsed(piece: Piece, parser: Parser | None) -> PaperRecord | RejectedLine:
    try:
        if piece.problem is not None:
            raise BadRecord(piece.problem)
        value = orjson.loads(piece.data)
        if not isinstance(value, dict):
            raise BadRecord("not a JSON object")
        return (parser or recognised(value))(value)
    except orjson.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at character {error.pos}"
    except BadRecord as error:
        reason = str(error)
    return RejectedLine(piece.line, reason, piece.data.decode(errors="replace"))
