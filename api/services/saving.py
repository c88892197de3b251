"""Saves that do not come from a button: as events, so that the model learns from them, with tags and notes."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.schemas.events import Code, EventBatch, Incoming
from api.services.bibliography import Reference, tidy_note, tidy_tags
from api.services.bibliography.reference import LONGEST_NOTE, tag_key
from api.services.collections import ensure_library
from api.services.event_parsing import parse_incoming
from api.store import shelf

_SAVES: Final = uuid.UUID("5f1c2f0e-6f1b-4f0a-9a55-0d6b4a9f7a11")  # names the events below: a repeated one is the same


def save_event(
    reader: str, external_id: str, *, occurred_at: datetime, after_pk: int, place: int = 0
) -> dict[str, object]:
    """Return the event by which a reader saves a paper whose state in their library `after_pk` stands for.

    The same save has the same id, so two imports at once count once. Where they tell no times, `place` keeps the order
    of a list: its first paper is the last saved.
    """
    return {
        "id": str(uuid.uuid5(_SAVES, f"{reader}|{external_id}|{after_pk}")),
        "kind": "save",
        "paper_id": external_id,
        "occurred_at": (occurred_at - timedelta(microseconds=place)).isoformat(),
    }


def parse_saves(saves: Incoming, *, now: datetime) -> EventBatch:
    """Return such events as the log takes them."""
    return parse_incoming(saves, now=now, future_tolerance=timedelta(0), open_slate=_no_slate)


def write_tags(session: Session, user_id: int, paper_id: int, words: Iterable[str]) -> tuple[str, ...]:
    """Let a paper have these tags and no others; return what was left out of them and why."""
    tags, left_out = tidy_tags(words)
    shelf.replace_tags(session, user_id, {paper_id: [(tag_key(tag), tag) for tag in tags]})
    return left_out


def write_note(session: Session, user_id: int, paper_id: int, text: str, *, now: datetime) -> None:
    """Replace the note of a saved paper; an empty one takes it away, InvalidRequest for one that is too long."""
    note = tidy_note(text)
    if len(note) > LONGEST_NOTE:
        raise InvalidRequest(f"a note takes {LONGEST_NOTE:,} characters: this one has {len(note):,}", field="note")
    _write_notes(session, user_id, {paper_id: note}, now=now)


def add_remarks(
    session: Session, user_id: int, said: Mapping[int, Reference], *, now: datetime
) -> dict[int, tuple[str, ...]]:
    """Add tags and notes to saved papers beside what stands there; return what found no room, by paper.

    Again it changes nothing.
    """
    tagged = {paper_id: one for paper_id, one in said.items() if one.tags}
    noted = {paper_id: one for paper_id, one in said.items() if one.note}
    left_out: dict[int, tuple[str, ...]] = {}
    there = shelf.load_tags(session, user_id, tagged) if tagged else {}
    rows: dict[int, list[tuple[str, str]]] = {}
    for paper_id, one in tagged.items():
        tags, lost = tidy_tags([*there.get(paper_id, ()), *one.tags])
        if lost:
            left_out[paper_id] = lost
        if tags != there.get(paper_id):
            rows[paper_id] = [(tag_key(tag), tag) for tag in tags]
    shelf.replace_tags(session, user_id, rows)
    known = shelf.load_notes(session, user_id, noted) if noted else {}
    notes: dict[int, str] = {}
    for paper_id, one in noted.items():
        joined = _joined(known.get(paper_id, ""), one.note)
        if len(joined) > LONGEST_NOTE:
            left_out[paper_id] = (*left_out.get(paper_id, ()), "its note found no room beside the one that is there")
        elif joined != known.get(paper_id):
            notes[paper_id] = joined
    _write_notes(session, user_id, notes, now=now)
    return left_out


def _no_slate(_token: str) -> Code:
    return "forged_slate"


def _joined(there: str, new: str) -> str:
    if new in there:
        return there
    return new if not there or there in new else f"{there}\n\n{new}"


def _write_notes(session: Session, user_id: int, notes: Mapping[int, str], *, now: datetime) -> None:
    if not notes:
        return
    ensure_library(session, user_id, now=now)
    collection_id = shelf.find_collection_id(session, user_id)
    if collection_id is not None:
        shelf.write_notes(session, collection_id, notes, now=now)
