"""Lists of readers: what is in them, what never is, and what they are when little is known."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa

from api.runtime.serving import Served, ServingModel
from api.services.feed import build_common_list, build_list, build_lists
from api.services.trending import forget_boards
from api.store.engine import Database
from api.store.feed_codec import FeedList, ReasonKind, Source
from api.store.tables import Paper, PaperCategory, User
from recommender.domain import EventKind
from tests.api.feed_world import (
    LONG_AGO,
    NOW,
    add_event,
    add_reader,
    paper_row,
    planted,
)

SIZE = 40


def build(database: Database, served: Served | None, user_id: int, *, size: int = SIZE) -> FeedList:
    """Build one list as of now."""
    with database.read() as session:
        return build_list(session, served, user_id, now=datetime.now(UTC), size=size)


def topic_counts(feed: FeedList) -> Counter[int]:
    """Count the topics of a list's first ten papers."""
    return Counter(planted().topics(np.array(feed.paper_ids[:10])).tolist())


def add_papers(database: Database, first_id: int, count: int, *, title: str, listed_at: datetime) -> list[int]:
    """Store new papers of topic 0."""
    ids = list(range(first_id, first_id + count))
    with database.write() as session:
        session.execute(
            sa.insert(Paper), [paper_row(i, title=title, category="cs.T0", listed_at=listed_at) for i in ids]
        )
        session.execute(
            sa.insert(PaperCategory), [{"category": "cs.T0", "paper_id": i, "listed_at": listed_at} for i in ids]
        )
    forget_boards()
    return ids


def test_a_reader_gets_papers_of_their_topic_with_reasons_from_their_library(world: Database, served: Served) -> None:
    feed = build(world, served, 1)
    reasons = {feed.reason(at).kind for at in range(10)}

    assert topic_counts(feed)[0] >= 9  # reader 1 reads topic 0
    assert feed.main_source is Source.PERSONAL
    assert reasons == {ReasonKind.SAVED}
    assert feed.scores == sorted(feed.scores, reverse=True)
    assert len(feed) == len(set(feed.paper_ids)) == SIZE


def test_what_a_reader_saved_clicked_or_dismissed_is_never_in_the_list(world: Database, served: Served) -> None:
    first, second, third, *_ = build(world, served, 1).paper_ids
    add_event(world, 1, first, EventKind.CLICK)
    add_event(world, 1, second, EventKind.SAVE)
    add_event(world, 1, third, EventKind.DISMISS)
    feed = build(world, served, 1, size=200)
    saved = planted().interactions.paper_ids[planted().interactions.user_ids == 1]

    assert {first, second, third}.isdisjoint(feed.paper_ids)
    assert set(saved.tolist()).isdisjoint(feed.paper_ids)
    assert {first, second, third} <= feed.hidden


def test_an_unsave_brings_a_paper_back(world: Database, served: Served) -> None:
    paper = build(world, served, 1).paper_ids[0]
    add_event(world, 1, paper, EventKind.DISMISS, at=NOW - timedelta(hours=2))
    assert paper not in build(world, served, 1, size=200).paper_ids
    add_event(world, 1, paper, EventKind.UNDISMISS, at=NOW - timedelta(hours=1))
    assert paper in build(world, served, 1, size=200).paper_ids


def test_terms_alone_make_the_first_feed_personal(world: Database, served: Served) -> None:
    add_reader(world, 900, interests={"terms": ["topic2word1 topic2word3"]})
    feed = build(world, served, 900)

    assert feed.main_source is Source.PERSONAL
    assert topic_counts(feed)[2] >= 9
    assert feed.reason(0).kind is ReasonKind.TERM
    assert feed.reason(0).text == "topic2word1 topic2word3"


def test_named_papers_alone_make_the_first_feed_personal(world: Database, served: Served) -> None:
    of_topic_3 = planted().texts.paper_ids[planted().topic_of_paper == 3][:3].tolist()
    add_reader(world, 900, interests={"papers": [f"p{paper_id}" for paper_id in of_topic_3]})
    feed = build(world, served, 900)

    assert topic_counts(feed)[3] >= 9
    assert feed.reason(0).kind is ReasonKind.CHOSEN
    assert set(of_topic_3).isdisjoint(feed.paper_ids)


def test_one_save_makes_the_next_feed_personal(world: Database, served: Served) -> None:
    add_reader(world, 900)
    assert build(world, served, 900).main_source is not Source.PERSONAL
    add_event(world, 900, int(planted().texts.paper_ids[1]), EventKind.SAVE)
    feed = build(world, served, 900)

    assert feed.main_source is Source.PERSONAL
    assert topic_counts(feed)[1] >= 8


def test_chosen_categories_move_their_papers_ahead_without_shutting_others_out(world: Database, served: Served) -> None:
    with world.write() as session:
        session.execute(sa.update(User).where(User.user_id == 1).values(interests={"categories": ["cs.T2"]}))
    feed = build(world, served, 1, size=20)
    counts = Counter(planted().topics(np.array(feed.paper_ids)).tolist())

    assert counts[2] >= 9
    assert counts[0] >= 9


def test_a_reader_without_history_gets_trending_blended_with_latest(world: Database, served: Served) -> None:
    add_reader(world, 900)
    popular = int(planted().texts.paper_ids[7])
    for user_id in (1, 2, 3):
        add_event(world, user_id, popular, EventKind.SAVE)
    forget_boards()
    feed = build(world, served, 900)

    assert feed.paper_ids[0] == popular
    assert feed.source(0) is Source.TRENDING
    assert Source.LATEST in {feed.source(at) for at in range(len(feed))}
    assert feed.main_source is Source.TRENDING


def test_categories_alone_filter_what_is_trending_and_latest(world: Database, served: Served) -> None:
    add_reader(world, 900, interests={"categories": ["cs.T3"]})
    feed = build(world, served, 900, size=30)
    assert set(planted().topics(np.array(feed.paper_ids)).tolist()) == {3}


def test_a_list_is_filled_up_when_the_model_runs_out_of_papers(world: Database, served: Served) -> None:
    feed = build(world, served, 1, size=200)
    saved = np.count_nonzero(planted().interactions.user_ids == 1)
    assert len(feed) == 160 - saved


def test_without_a_model_a_reader_with_history_still_gets_a_page(world: Database) -> None:
    feed = build(world, None, 1)
    assert len(feed) == SIZE
    assert feed.version == ""
    assert feed.main_source in {Source.TRENDING, Source.LATEST}


def test_new_papers_nobody_touched_wait_to_be_drawn(world: Database, serving: ServingModel) -> None:
    fresh = add_papers(world, 5000, 30, title="topic0word1 topic0word2", listed_at=NOW - timedelta(hours=3))
    served = serving.poll()
    feed = build(world, served, 2)  # a reader of topic 1, whom the model alone would not show these
    assert len(feed.pool) == 10  # five for each of the two places in forty that explore
    assert set(feed.pool) <= set(fresh)
    assert set(feed.pool).isdisjoint(feed.paper_ids)


def test_old_and_undated_papers_are_not_drawn(world: Database, serving: ServingModel) -> None:
    add_papers(world, 5000, 30, title="topic0word1", listed_at=NOW - timedelta(days=30))
    assert build(world, serving.poll(), 2).pool == ()


def test_a_new_paper_is_ranked_without_a_retrain(world: Database, serving: ServingModel) -> None:
    [paper] = add_papers(world, 5000, 1, title=planted().texts.titles[0], listed_at=LONG_AGO)
    served = serving.poll()
    assert paper in build(world, served, 1).paper_ids


def test_removed_papers_leave_no_hole(world: Database, served: Served) -> None:
    before = build(world, served, 1)
    gone = before.paper_ids[:3]
    with world.write() as session:
        session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id.in_(gone)))
        session.execute(
            sa.text("UPDATE events SET paper_id = 1000 WHERE paper_id IN (:a, :b, :c)"),
            dict(zip("abc", gone, strict=True)),
        )
        session.execute(
            sa.text("DELETE FROM library WHERE paper_id IN (:a, :b, :c)"), dict(zip("abc", gone, strict=True))
        )
        session.execute(sa.delete(Paper).where(Paper.paper_id.in_(gone)))
    after = build(world, served, 1)
    assert set(gone).isdisjoint(after.paper_ids)
    assert len(after) == SIZE


def test_lists_built_together_equal_lists_built_alone(world: Database, served: Served) -> None:
    add_reader(world, 900)
    users = [1, 900, 2, 3]
    with world.read() as session:
        together = build_lists(session, served, users, now=NOW, size=SIZE)
        alone = [build_list(session, served, user_id, now=NOW, size=SIZE) for user_id in users]
    assert [feed.paper_ids for feed in together] == [feed.paper_ids for feed in alone]


def test_the_common_list_is_never_empty_while_there_are_papers(world: Database) -> None:
    with world.read() as session:
        assert len(build_common_list(session, now=NOW, size=SIZE)) == SIZE
