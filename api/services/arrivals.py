"""Whether papers that readers want have come: looked for among what is new, and now and then among all that is wanted.

A look takes in the papers written and the wants made since the last one began, less a while: a writer's time is older
than its commit, and rows commit out of their order. What that misses, such as a transaction that took longer, a clock
that is wrong, or a second paper of the same title that got another one, is found by going through all wants, a part of
them every minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.store import arrivals as rows
from api.store.arrivals import Arrival
from api.store.state import read_state, write_state

STATE_KEY: Final = "wanted"
OVERLAP: Final = timedelta(seconds=60)  # looked at again: transactions take less
ROWS_PER_STEP: Final = 5_000  # papers, and wants, looked at in one transaction
ROUND_EVERY: Final = timedelta(seconds=60)  # the next part of all wants
WANTS_PER_ROUND: Final = 2_000
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far papers and wants have been looked at."""

    papers_to: datetime = LONG_AGO  # what was written until then has been looked at
    wants_to: datetime = LONG_AGO  # what is wanted since a time until then
    begun_at: datetime | None = None  # of a look that is not at its end
    round_at: datetime = LONG_AGO  # when a part of all wants was gone through last
    round_to: int = 0  # the last want of that part


@dataclass(frozen=True, slots=True)
class Step:
    """Papers that have come, and whether there may be more."""

    arrivals: Sequence[Arrival]
    is_last: bool  # of what there is to look at now


def is_news(session: Session, *, now: datetime) -> bool:
    """True when somebody waits for a paper and there is something to look at: cheap, however much is wanted."""
    oldest = rows.oldest_want_at(session)
    if oldest is None:
        return False
    progress = _going_on(read_state(session, STATE_KEY), oldest, now=now)
    return progress.begun_at is not None or _is_round_due(progress, now=now) or _is_more(session, progress)


def take_step(session: Session, *, limit: int, now: datetime) -> Step:
    """Return papers that have come, `limit` at most, for wants that the caller deletes; one caller at a time.

    Where that many came, the next step looks at the same again and finds others.
    """
    held = _hold(session, now=now)
    oldest = rows.oldest_want_at(session)
    if oldest is None:
        return Step((), is_last=True)
    progress = _going_on(held, oldest, now=now)
    papers = rows.reach_of_papers(session, progress.papers_to, limit=ROWS_PER_STEP)
    wants = rows.reach_of_wants(session, progress.wants_to, limit=ROWS_PER_STEP)
    candidates = rows.wants_like_papers(session, papers) | rows.wants_made(session, wants)
    if _is_round_due(progress, now=now):
        part = rows.next_wants(session, progress.round_to, limit=WANTS_PER_ROUND)
        candidates.update(part)
        progress = replace(progress, round_at=now, round_to=part[-1] if len(part) == WANTS_PER_ROUND else 0)
    found = rows.find_arrivals(session, sorted(candidates), limit=limit)
    if len(found) >= limit:
        return Step(found, is_last=False)
    begun_at = progress.begun_at or now
    progress = replace(progress, papers_to=papers[1], wants_to=wants[1], begun_at=begun_at)
    is_last = not _is_more(session, progress)
    if is_last:
        done_to = begun_at - OVERLAP
        progress = replace(progress, papers_to=done_to, wants_to=done_to, begun_at=None)
    write_state(session, STATE_KEY, _as_json(progress), now=now)
    return Step(found, is_last=is_last)


def _hold(session: Session, *, now: datetime) -> Mapping[str, object]:
    """Return what is kept; whoever else wants it waits until this transaction ends."""
    held = read_state(session, STATE_KEY, is_held=True)
    if held is None:
        held = _as_json(Progress())
        write_state(session, STATE_KEY, held, now=now)
    return held


def _going_on(kept: Mapping[str, object] | None, oldest: datetime, *, now: datetime) -> Progress:
    """Return where to go on: what was written before anybody wanted anything was there when they did."""
    progress = Progress() if kept is None else _of_json(kept)
    papers_to = max(progress.papers_to, oldest - OVERLAP)
    return replace(progress, papers_to=min(papers_to, now), wants_to=min(progress.wants_to, now))


def _is_round_due(progress: Progress, *, now: datetime) -> bool:
    return not timedelta(0) <= now - progress.round_at < ROUND_EVERY  # a clock may have been put back


def _is_more(session: Session, progress: Progress) -> bool:
    return rows.is_paper_written_after(session, progress.papers_to) or rows.is_want_made_after(
        session, progress.wants_to
    )


def _as_json(progress: Progress) -> dict[str, object]:
    begun = progress.begun_at
    return {
        "papers_to": progress.papers_to.isoformat(),
        "wants_to": progress.wants_to.isoformat(),
        "begun_at": None if begun is None else begun.isoformat(),
        "round_at": progress.round_at.isoformat(),
        "round_to": progress.round_to,
    }


def _of_json(kept: Mapping[str, object]) -> Progress:
    begun = kept["begun_at"]
    return Progress(
        papers_to=datetime.fromisoformat(str(kept["papers_to"])),
        wants_to=datetime.fromisoformat(str(kept["wants_to"])),
        begun_at=None if begun is None else datetime.fromisoformat(str(begun)),
        round_at=datetime.fromisoformat(str(kept["round_at"])),
        round_to=int(str(kept["round_to"])),
    )
