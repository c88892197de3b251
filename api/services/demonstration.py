"""Loading and removing the demonstration, step by step: each step is one short transaction of its caller."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy.orm import Session

from api.services.catalog import record_papers
from api.services.event_matching import payload_hash
from api.sources.demo import DemoEvent, Demonstration
from api.sources.records import PaperRecord
from api.store import demonstration as rows
from api.store.events import insert_events
from api.store.library import LibraryChange, project_changes
from api.store.papers import paper_ids_of
from api.store.state import delete_state, read_state, write_state
from api.store.tables import EPOCH, ONE_MICROSECOND
from api.store.users import advance_users, ensure_users
from recommender.domain import EventKind

STATE_KEY: Final = "demonstration"  # {"loaded": papers are listed, "complete": all of it is there, "at": ISO time}
PAPERS_PER_STEP: Final = 150
EVENTS_PER_STEP: Final = 1_000
REMOVED_EVENTS_PER_STEP: Final = 5_000  # numbers of events looked at
REMOVED_READERS_PER_STEP: Final = 500
REMOVED_PAPERS_PER_STEP: Final = 25  # each one makes the database look through the events that refer to papers
EVENT_NAMESPACE: Final = uuid.UUID("8f2f3c1e-6a54-5b0f-9d0c-52f7f6f1a0de")


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took away; `others_events` is the part of the events that real readers had made."""

    papers: int = 0
    readers: int = 0
    events: int = 0
    others_events: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.papers + other.papers,
            self.readers + other.readers,
            self.events + other.events,
            self.others_events + other.others_events,
        )


LoadStep: TypeAlias = Callable[[Session], None]
RemovalStep: TypeAlias = Callable[[Session], Removed]


def begin_demo(session: Session, *, now: datetime) -> datetime | None:
    """Return the time as of which the demonstration is to be built, None if all of it is there.

    A load that was broken off goes on with the time it began with, so that nothing is made twice.
    """
    state = read_state(session, STATE_KEY)
    if state is None:
        write_state(session, STATE_KEY, {"loaded": False, "complete": False, "at": now.isoformat()}, now=now)
        return now
    return None if state["complete"] else datetime.fromisoformat(state["at"])


def load_steps(demo: Demonstration, *, at: datetime, now: datetime) -> Iterator[LoadStep]:
    """Give the steps that load `demo`, built as of `at`: papers, newest first, then readers with their histories."""
    state = {"loaded": True, "complete": False, "at": at.isoformat()}
    yield partial(write_state, key=STATE_KEY, value=state, now=now)
    for start in range(0, len(demo.papers), PAPERS_PER_STEP):
        papers = demo.papers[start : start + PAPERS_PER_STEP]
        yield partial(_load_papers, papers=papers, now=now)
    for start in range(0, len(demo.events), EVENTS_PER_STEP):
        events = demo.events[start : start + EVENTS_PER_STEP]
        yield partial(_load_events, events=events, now=now)
    yield partial(write_state, key=STATE_KEY, value=state | {"complete": True}, now=now)


def remove_steps(found: rows.DemoRows, *, now: datetime) -> Iterator[RemovalStep]:
    """Give the steps that remove what `found` lists; a broken off removal is finished by another one."""
    for first in range(0, found.newest_event_pk + 1, REMOVED_EVENTS_PER_STEP):
        yield partial(_remove_events, first_pk=first, now=now)
    for first in range(0, found.newest_user_id + 1, REMOVED_READERS_PER_STEP):
        yield partial(_remove_library, first_user_id=first)
    for start in range(0, len(found.paper_ids), REMOVED_PAPERS_PER_STEP):
        papers = found.paper_ids[start : start + REMOVED_PAPERS_PER_STEP]
        yield partial(_remove_papers, paper_ids=papers, now=now)
    for start in range(0, len(found.user_ids), REMOVED_READERS_PER_STEP):
        readers = found.user_ids[start : start + REMOVED_READERS_PER_STEP]
        yield partial(_remove_readers, user_ids=readers)
    yield _forget


def _load_papers(session: Session, *, papers: Sequence[PaperRecord], now: datetime) -> None:
    record_papers(session, papers, now=now, is_demo=True)


def _load_events(session: Session, *, events: Sequence[DemoEvent], now: datetime) -> None:
    papers = paper_ids_of(session, {event.paper for event in events})
    readers, _ = ensure_users(session, {event.reader for event in events}, now=now, is_demo=True)
    # A paper is missing only if a real one took its id and was itself removed since.
    known = [event for event in events if event.paper in papers]
    lines = [_event_row(event, user_id=readers[event.reader], paper_id=papers[event.paper]) for event in known]
    written = insert_events(session, lines)
    saves = [
        line for line in lines if line["kind"] == EventKind.SAVE and (line["user_id"], line["event_id"]) in written
    ]
    project_changes(
        session,
        [
            LibraryChange(
                line["user_id"],
                line["paper_id"],
                is_save=True,
                occurred_at=line["occurred_at"],
                event_pk=written[line["user_id"], line["event_id"]],
            )
            for line in saves
        ],
    )
    rows.write_last_active(session, {line["user_id"]: line["occurred_at"] for line in lines})


def _event_row(event: DemoEvent, *, user_id: int, paper_id: int) -> dict[str, Any]:
    name = f"{event.reader}|{event.paper}|{event.kind}|{event.occurred_at.isoformat()}"
    occurred = (event.occurred_at - EPOCH) // ONE_MICROSECOND
    return {
        "user_id": user_id,
        "event_id": str(uuid.uuid5(EVENT_NAMESPACE, name)),
        "kind": int(event.kind),
        "paper_id": paper_id,
        "occurred_at": event.occurred_at,
        "received_at": event.occurred_at,  # as if it had come when it happened
        "position": event.position,
        "value": event.value,
        "payload_hash": payload_hash(
            int(event.kind), paper_id, occurred=occurred, position=event.position, value=event.value, slate=None
        ),
        "is_import": True,
    }


def _remove_events(session: Session, *, first_pk: int, now: datetime) -> Removed:
    last_pk = first_pk + REMOVED_EVENTS_PER_STEP - 1
    return _counted(session, *rows.delete_demo_events(session, first_pk=first_pk, last_pk=last_pk), now=now)


def _remove_library(session: Session, *, first_user_id: int) -> Removed:
    last_user_id = first_user_id + REMOVED_READERS_PER_STEP - 1
    rows.delete_demo_library(session, first_user_id=first_user_id, last_user_id=last_user_id)
    return Removed()


def _remove_papers(session: Session, *, paper_ids: Sequence[int], now: datetime) -> Removed:
    papers, events, others = rows.delete_demo_papers(session, paper_ids)
    return Removed(papers=papers) + _counted(session, events, others, now=now)


def _remove_readers(session: Session, *, user_ids: Sequence[int]) -> Removed:
    return Removed(readers=rows.delete_demo_readers(session, user_ids))


def _counted(session: Session, events: int, others: list[int], *, now: datetime) -> Removed:
    """Return the count after noting the change for real readers: their lists must follow."""
    if others:
        advance_users(session, sorted(set(others)), now=now)
    return Removed(events=events, others_events=len(others))


def _forget(session: Session) -> Removed:
    delete_state(session, STATE_KEY)
    return Removed()
