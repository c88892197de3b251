"""Giving rejected events to the intake again, from the route and from the command."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest
from api.routes.events import take_events
from api.runtime.state import Runtime
from api.schemas.events import Code, EventAnswer
from api.schemas.letters import ReplayIn, ReplayOut, ReplayResult
from api.services.dead_letters import Replay, Replayable, load_replay, note_replayed

_MALFORMED: Final[Code] = "malformed"


async def replay_letters(runtime: Runtime, wanted: ReplayIn) -> ReplayOut:
    """Give the letters to the intake as if they came now, but received when they were; accepted ones are closed.

    One that another replay has just brought in is a duplicate: whatever happens in between, an event counts once.
    """
    found = await run_in_threadpool(_load, runtime, wanted)
    answers = await asyncio.gather(*(_take(runtime, part) for part in found.ready))
    results = {
        letter_id: ReplayResult(id=letter_id, status="rejected", code=_MALFORMED, reason=why)
        for letter_id, why in found.broken.items()
    }
    for part, given in zip(found.ready, answers, strict=True):
        for letter_id, answer in zip(part.letter_ids, given, strict=True):
            results[letter_id] = ReplayResult(
                id=letter_id, status=answer.status, code=answer.code, reason=answer.reason
            )
    stored = {letter_id: one.status for letter_id, one in results.items() if one.status != "rejected"}
    await run_in_threadpool(_note, runtime, stored)
    return ReplayOut(results=[results[letter_id] for letter_id in sorted(results)], next_after=found.next_after)


async def _take(runtime: Runtime, part: Replayable) -> tuple[EventAnswer, ...]:
    try:
        return (await take_events(runtime, part.incoming)).answers
    except InvalidRequest as error:  # what its batch said cannot be read any more
        return tuple(EventAnswer(None, "rejected", _MALFORMED, error.detail) for _ in part.letter_ids)


def _load(runtime: Runtime, wanted: ReplayIn) -> Replay:
    with runtime.db.read() as session:
        return load_replay(
            session,
            letter_ids=wanted.ids or (),
            code=wanted.code,
            after=wanted.after,
            limit=wanted.limit,
            corrections=wanted.corrections,
        )


def _note(runtime: Runtime, stored: Mapping[int, str]) -> None:
    with runtime.db.write() as session:
        note_replayed(session, stored, now=datetime.now(UTC))
