"""Decisions about lists: muted things stand in none of them, and what is forgotten teaches nobody."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.runtime.serving import Served
from api.services import deciding
from api.services.deciding import Decided
from api.services.feed import build_list
from api.services.feed_reading import build_without_model
from api.services.merging import merge_reader
from api.services.muting import LONGEST_RULE, MOST_RULES, Muted, muted_paper_ids
from api.services.tastes import load_tastes
from api.store.engine import Database
from api.store.events import load_all_interactions
from api.store.feed_codec import FeedList, Source
from api.store.tables import Event, LibraryItem, Paper, User
from api.store.users import ensure_users
from recommender.domain import EventKind
from tests.api.feed_world import NOW, TOPICS, add_event, add_reader, planted

SIZE = 60
READER, OTHER = 900, 901
NAME = f"u{READER}"
EVERYTHING = 10**9
Decide = Callable[..., Decided]


@pytest.fixture
def reader(world: Database) -> Database:
    """Return a database with a reader who saved six papers of topic 0."""
    add_reader(world, READER)
    save(world, READER, *papers_of(0)[:6])
    return world


def papers_of(topic: int) -> list[int]:
    """Return the papers of a topic that somebody touched."""
    chosen = (planted().topic_of_paper == topic) & ~planted().untouched
    ids: list[int] = planted().texts.paper_ids[chosen].tolist()
    return ids


def save(database: Database, user_id: int, *paper_ids: int) -> None:
    """Save papers as the API does."""
    for paper_id in paper_ids:
        add_event(database, user_id, paper_id, EventKind.SAVE)


def build(database: Database, served: Served | None, user_id: int = READER) -> FeedList:
    """Build a reader's list as of now."""
    with database.read() as session:
        return build_list(session, served, user_id, now=NOW, size=SIZE)


def decide(database: Database, decision: Decide, *rest: object, name: str = NAME) -> Decided:
    """Make a decision in a transaction of its own."""
    with database.write() as session:
        return decision(session, name, *rest, now=datetime.now(UTC))


def mute(database: Database, **muted: tuple[str, ...]) -> Decided:
    """Replace what the reader mutes."""
    return decide(database, deciding.mute, Muted(**muted))


def taught(database: Database) -> set[tuple[int, int]]:
    """Return the (reader, paper) that a training would learn from."""
    with database.read() as session:
        parts = list(load_all_interactions(session, up_to_event_pk=EVERYTHING))
    return {
        (user, paper)
        for part in parts
        for user, paper in zip(part.user_ids.tolist(), part.paper_ids.tolist(), strict=True)
    }


def liked(database: Database, user_id: int = READER) -> set[int]:
    """Return the papers that a reader's list would be ranked by."""
    with database.read() as session:
        return set(load_tastes(session, [user_id], now=NOW)[0].profile.paper_ids.tolist())


def sources_of(feed: FeedList) -> set[Source]:
    """Return where the papers of a list come from."""
    return {feed.source(at) for at in range(len(feed.paper_ids))}


def share_of(feed: FeedList, topic: int) -> float:
    """Return how much of a list is of a topic."""
    return float(np.mean(planted().topics(np.array(feed.paper_ids)) == topic))


@pytest.mark.parametrize("has_model", [True, False])
@pytest.mark.parametrize("kind", ["terms", "authors", "categories"])
def test_nothing_that_is_muted_stands_in_a_list(reader: Database, served: Served, kind: str, has_model: bool) -> None:
    unwanted = papers_of(0)[6:]
    with reader.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id.in_(unwanted)).values(_marked(kind)))
    model = served if has_model else None
    assert not has_model or set(unwanted) & set(build(reader, model).paper_ids)
    mute(reader, **{kind: ("Rare Xylophone",)})
    after = build(reader, model)
    assert len(after.paper_ids) >= SIZE  # others take their places
    assert not set(unwanted) & {*after.paper_ids, *after.pool}
    with reader.read() as session:
        common = build_without_model(session, READER, now=NOW)
        assert not set(unwanted) & set(common.paper_ids)
        assert muted_paper_ids(session, READER, unwanted) == set(unwanted)
        assert not muted_paper_ids(session, OTHER, unwanted)


def _marked(kind: str) -> dict[str, object]:
    if kind == "terms":
        return {"title": "On the rare xylophone"}
    return {kind: ["A. Rare Xylophone"] if kind == "authors" else ["rare xylophone"]}


def test_muting_every_category_leaves_an_empty_list_and_unmuting_fills_it(reader: Database, served: Served) -> None:
    mute(reader, categories=tuple(f"cs.T{topic}" for topic in range(TOPICS)))
    assert not build(reader, served).paper_ids
    mute(reader)
    assert len(build(reader, served).paper_ids) >= SIZE


def test_a_decision_is_a_change_that_lists_must_follow(reader: Database) -> None:
    first = mute(reader, terms=("one",))
    second = decide(reader, deciding.depersonalise)
    with reader.read() as session:
        assert session.get_one(User, READER).last_seq == second.seq > first.seq


@pytest.mark.parametrize(
    "muted",
    [
        Muted(terms=tuple(f"term {number}" for number in range(MOST_RULES + 1))),
        Muted(authors=("x" * (LONGEST_RULE + 1),)),
        Muted(terms=("?!",)),
        Muted(categories=("cs.\x07AI",)),
    ],
    ids=["too many", "too long", "no word", "control character"],
)
def test_what_cannot_be_muted_is_refused_and_nothing_changes(reader: Database, muted: Muted) -> None:
    mute(reader, terms=("kept",))
    with pytest.raises(InvalidRequest):
        decide(reader, deciding.mute, muted)
    with reader.read() as session:
        assert deciding.read_decisions(session, READER).muted["terms"] == ["kept"]


def test_rules_are_kept_once_in_their_order() -> None:
    tidy = deciding.tidy_muted(Muted(terms=("b  c", "A", "B c", " ", "a")))
    assert tidy.terms == ("b c", "A")


def test_while_personalisation_is_off_lists_are_not_personal(reader: Database, served: Served) -> None:
    assert share_of(build(reader, served), 0) > 0.5
    decide(reader, deciding.depersonalise)
    after = build(reader, served)
    assert sources_of(after) <= {Source.TRENDING, Source.LATEST}
    assert not set(after.paper_ids) & set(papers_of(0)[:6])  # what is saved stays out


def test_switched_on_again_what_was_before_counts_and_what_was_meanwhile_does_not(
    reader: Database, served: Served
) -> None:
    decide(reader, deciding.depersonalise)
    meanwhile = papers_of(1)[:3]
    save(reader, READER, *meanwhile)
    assert not liked(reader)
    decide(reader, deciding.personalise)
    assert liked(reader) == set(papers_of(0)[:6])
    save(reader, READER, papers_of(2)[0])
    assert liked(reader) == {*papers_of(0)[:6], papers_of(2)[0]}
    with reader.read() as session:
        kept = session.scalars(sa.select(LibraryItem.paper_id).where(LibraryItem.user_id == READER)).all()
    assert set(meanwhile) <= set(kept)  # they served the library


def test_switching_twice_changes_nothing_more(reader: Database) -> None:
    first = decide(reader, deciding.depersonalise).decisions
    assert decide(reader, deciding.depersonalise).decisions.silent == first.silent
    on = decide(reader, deciding.personalise).decisions
    assert decide(reader, deciding.personalise).decisions.silent == on.silent


def test_no_training_learns_from_a_reader_who_is_off_or_from_what_was_forgotten(reader: Database) -> None:
    others = {pair for pair in taught(reader) if pair[0] != READER}
    decide(reader, deciding.depersonalise)
    assert taught(reader) == others
    decide(reader, deciding.personalise)
    decide(reader, deciding.forget_taste)
    save(reader, READER, papers_of(2)[0])
    assert taught(reader) == others | {(READER, papers_of(2)[0])}


def test_forgetting_keeps_library_history_hidings_and_mutings_and_empties_the_rest(
    reader: Database, served: Served
) -> None:
    add_event(reader, READER, papers_of(0)[7], EventKind.DISMISS)
    with reader.write() as session:
        session.execute(sa.update(User).where(User.user_id == READER).values(interests={"terms": ["topic"]}))
    mute(reader, terms=("kept",))
    decide(reader, deciding.forget_taste)
    with reader.read() as session:
        assert not any((session.get_one(User, READER).interests or {}).values())
        assert session.scalar(sa.select(sa.func.count()).where(LibraryItem.user_id == READER)) == 6
        assert session.scalar(sa.select(sa.func.count()).where(Event.user_id == READER)) == 7
        decisions = deciding.read_decisions(session, READER)
    assert decisions.muted["terms"] == ["kept"]
    assert decisions.reset_at is not None
    after = build(reader, served)
    assert sources_of(after) <= {Source.TRENDING, Source.LATEST}
    assert not {*papers_of(0)[:6], papers_of(0)[7]} & set(after.paper_ids)
    save(reader, READER, *papers_of(1)[:3])
    assert share_of(build(reader, served), 1) > 0.5  # and a new taste grows


def test_forgetting_while_off_forgets_all_of_it(reader: Database) -> None:
    decide(reader, deciding.depersonalise)
    save(reader, READER, papers_of(1)[0])
    decide(reader, deciding.forget_taste)
    decide(reader, deciding.personalise)
    assert not liked(reader)
    save(reader, READER, papers_of(2)[0])
    assert liked(reader) == {papers_of(2)[0]}


def test_a_reader_nobody_has_heard_of_can_decide(world: Database) -> None:
    decided = decide(world, deciding.mute, Muted(terms=("x1",)), name="somebody new")
    with world.read() as session:
        assert session.get_one(User, decided.user_id).external_id == "somebody new"


class TestAMergedReader:
    """An anonymous reader who becomes part of an account."""

    ANONYMOUS = "anon:tastes"

    def decide_as_anonymous(self, database: Database, *decisions: Decide, paper_ids: list[int]) -> int:
        """Save papers as an anonymous reader, then decide; return their number."""
        with database.write() as session:
            user_id = _ensure(session, self.ANONYMOUS)
        save(database, user_id, *paper_ids)
        for decision in decisions:
            decide(database, decision, name=self.ANONYMOUS)
        return user_id

    def merge(self, database: Database) -> None:
        """Let the account take them in."""
        with database.write() as session:
            merge_reader(session, self.ANONYMOUS, external_user=NAME, now=datetime.now(UTC))

    def test_what_they_forgot_stays_forgotten_and_the_account_forgets_nothing(self, reader: Database) -> None:
        self.decide_as_anonymous(reader, deciding.forget_taste, paper_ids=papers_of(1)[:3])
        self.merge(reader)
        assert liked(reader) == set(papers_of(0)[:6])

    def test_what_they_did_while_it_was_off_never_teaches(self, reader: Database) -> None:
        decide(reader, deciding.mute, Muted(terms=("own",)))  # the account has decided something, too
        self.decide_as_anonymous(reader, deciding.depersonalise, paper_ids=papers_of(1)[:3])
        with reader.write() as session:
            user_id = _ensure(session, self.ANONYMOUS)
        save(reader, user_id, papers_of(2)[0])
        self.merge(reader)
        assert liked(reader) == {*papers_of(0)[:6], *papers_of(1)[:3]}
        save(reader, READER, papers_of(3)[0])
        assert papers_of(3)[0] in liked(reader)

    def test_what_either_muted_is_muted(self, reader: Database) -> None:
        mute(reader, terms=("own",))
        self.decide_as_anonymous(reader, paper_ids=[])
        decide(reader, deciding.mute, Muted(terms=("theirs",)), name=self.ANONYMOUS)
        self.merge(reader)
        with reader.read() as session:
            assert deciding.read_decisions(session, READER).muted["terms"] == ["own", "theirs"]


def _ensure(session: Session, name: str) -> int:
    return ensure_users(session, [name], now=datetime.now(UTC))[0][name]
