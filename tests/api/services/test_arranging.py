"""The ranking policy of the settings in readers' lists."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime.serving import Served, ServingModel
from api.services.arranging import DEPTH, MOST_NEWS, depth_of, policy_of, pool_size
from api.services.blending import HIGH_PLACES
from api.services.feed import build_list, build_lists
from api.services.tastes import load_tastes
from api.services.trending import forget_boards
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.feed_codec import FeedList, Source
from api.store.tables import Paper, PaperCategory, User
from recommender.domain import EventKind
from recommender.rerank import Policy
from tests.api.feed_world import NOW, add_event, paper_row, planted

SIZE = 20
NEUTRAL = {
    "PAPERFEED_FRESHNESS": "0",
    "PAPERFEED_DIVERSITY": "0",
    "PAPERFEED_POPULARITY_DISCOUNT": "0",
    "PAPERFEED_CATEGORY_CALIBRATION": "0",
    "PAPERFEED_EXPLORATION_SHARE": "0",
}
EVERYTHING = {
    "PAPERFEED_FRESHNESS": "1",
    "PAPERFEED_FRESHNESS_HALF_LIFE_DAYS": "100",
    "PAPERFEED_DIVERSITY": "0.6",
    "PAPERFEED_POPULARITY_DISCOUNT": "1",
    "PAPERFEED_CATEGORY_CALIBRATION": "0.8",
    "PAPERFEED_EXPLORATION_SHARE": "0.3",
}
Configure = Callable[[dict[str, str]], None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Return what sets variables of the environment for this test."""

    def set_variables(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        read_settings.cache_clear()

    yield set_variables
    monkeypatch.undo()
    read_settings.cache_clear()


def build(database: Database, served: Served | None, user_id: int, *, size: int = SIZE) -> FeedList:
    """Build one list."""
    with database.read() as session:
        return build_list(session, served, user_id, now=NOW, size=size)


def add_fresh_papers(database: Database, count: int, *, listed_at: datetime) -> list[int]:
    """Store new papers about nothing in particular."""
    ids = list(range(5000, 5000 + count))
    with database.write() as session:
        rows = [paper_row(i, title=f"common{i % 40}", category="cs.NEW", listed_at=listed_at) for i in ids]
        session.execute(sa.insert(Paper), rows)
        places = [{"category": "cs.NEW", "paper_id": i, "listed_at": listed_at} for i in ids]
        session.execute(sa.insert(PaperCategory), places)
    forget_boards()
    return ids


def test_the_settings_describe_the_policy() -> None:
    settings = Settings(
        diversity=0.4, freshness=0.2, freshness_half_life_days=9, exploration_share=0.05, dismiss_reach=2
    )
    assert policy_of(settings) == Policy(
        freshness=0.2, freshness_half_life_days=9, diversity=0.4, exploration_share=0.05, dismiss_reach=2
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("freshness", -0.1),
        ("freshness_half_life_days", 0),
        ("diversity", 1.1),
        ("popularity_discount", float("nan")),
        ("category_calibration", -1),
        ("exploration_share", 2),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_more_is_ranked_than_shown_only_where_there_is_something_to_choose() -> None:
    assert depth_of(Policy(exploration_share=0.5), size=SIZE) == SIZE
    assert depth_of(Policy(diversity=0.1), size=SIZE) == SIZE * DEPTH
    assert pool_size(Policy(), size=200) == 0
    assert pool_size(Policy(exploration_share=0.1), size=200) == 100
    assert pool_size(Policy(exploration_share=0.5), size=200) == MOST_NEWS
    assert pool_size(Policy(exploration_share=1), size=1000) == 1000


def test_a_neutral_policy_shows_what_the_model_ranked(world: Database, served: Served, configure: Configure) -> None:
    configure(NEUTRAL)
    feed = build(world, served, 1)
    with world.read() as session:
        [taste] = load_tastes(session, [1], now=NOW)
    [ranked] = served.model.recommend([taste.profile], k=SIZE)
    assert feed.paper_ids == ranked.paper_ids.tolist()


def test_the_policy_of_the_settings_reaches_the_list(world: Database, served: Served, configure: Configure) -> None:
    configure(NEUTRAL)
    plain = build(world, served, 1)
    configure({"PAPERFEED_DIVERSITY": "1"})
    diverse = build(world, served, 1)
    topics = [len(Counter(planted().topics(np.array(feed.paper_ids[:10])).tolist())) for feed in (plain, diverse)]
    assert topics[0] == 1
    assert topics[1] > 1
    assert diverse.scores == sorted(diverse.scores, reverse=True)


def test_reasons_stay_with_their_papers(world: Database, served: Served, configure: Configure) -> None:
    configure(NEUTRAL)
    plain = build(world, served, 1, size=60)
    configure({"PAPERFEED_DIVERSITY": "0.2"})
    moved = build(world, served, 1, size=30)
    told = {plain.paper_ids[at]: plain.reason(at) for at in range(len(plain))}
    shared = [at for at in range(len(moved)) if moved.paper_ids[at] in told]
    assert moved.paper_ids != plain.paper_ids[:30]
    assert len(shared) >= 20
    assert [moved.reason(at) for at in shared] == [told[moved.paper_ids[at]] for at in shared]


def test_whatever_the_policy_nothing_hidden_is_shown(world: Database, served: Served, configure: Configure) -> None:
    add_fresh_papers(world, 30, listed_at=NOW - timedelta(hours=3))
    configure(EVERYTHING)
    first, second, *_ = build(world, served, 1).paper_ids
    add_event(world, 1, first, EventKind.DISMISS)
    add_event(world, 1, second, EventKind.SAVE)
    add_event(world, 1, 5000, EventKind.DISMISS)
    feed = build(world, served, 1, size=100)
    saved = planted().interactions.paper_ids[planted().interactions.user_ids == 1]
    assert {first, second, 5000, *saved.tolist()}.isdisjoint(feed.paper_ids)
    assert len(feed) == len(set(feed.paper_ids)) == 100


def test_category_shares_follow_the_reader(world: Database, served: Served, configure: Configure) -> None:
    for paper in planted().texts.paper_ids[planted().topic_of_paper == 2][:20].tolist():
        add_event(world, 1, paper, EventKind.CLICK)  # reader 1 saved papers of topic 0
    distances = {}
    for strength in ("0", "0.9"):
        configure(NEUTRAL | {"PAPERFEED_CATEGORY_CALIBRATION": strength})
        feed = build(world, served, 1)
        topics = planted().topics(np.array(feed.paper_ids))
        with world.read() as session:
            profile = load_tastes(session, [1], now=NOW)[0].profile
        wanted = np.bincount(planted().topics(profile.paper_ids), weights=profile.weights, minlength=4)
        found = np.bincount(topics, minlength=4)
        distances[strength] = np.abs(wanted / wanted.sum() - found / found.sum()).sum() / 2
    assert distances["0.9"] <= 0.1 + 1 / SIZE + 1e-6
    assert distances["0"] > distances["0.9"]


def test_the_share_that_explores_sizes_the_pool(world: Database, serving: ServingModel, configure: Configure) -> None:
    fresh = add_fresh_papers(world, 60, listed_at=NOW - timedelta(hours=3))
    served = serving.poll()
    sizes = {}
    for share in ("0", "0.05", "0.2"):
        configure({"PAPERFEED_EXPLORATION_SHARE": share})
        feed = build(world, served, 2, size=40)
        sizes[share] = len(feed.pool)
        assert set(feed.pool) <= set(fresh)
        assert set(feed.pool).isdisjoint(feed.paper_ids)
        assert len(feed) == 40
    assert sizes == {"0": 0, "0.05": 10, "0.2": 40}


def test_a_new_paper_is_high_in_the_list_or_in_the_pool(
    world: Database, serving: ServingModel, configure: Configure
) -> None:
    configure({"PAPERFEED_EXPLORATION_SHARE": "0.5", "PAPERFEED_FRESHNESS": "5"})
    fresh = add_fresh_papers(world, 200, listed_at=NOW - timedelta(hours=3))
    feed = build(world, serving.poll(), 2, size=80)
    high, low = set(feed.paper_ids[:HIGH_PLACES]), set(feed.paper_ids[HIGH_PLACES:])
    assert high & set(fresh)
    assert low.isdisjoint(feed.pool)
    assert len({*feed.paper_ids, *feed.pool}) == 80 + len(feed.pool)
    assert all(feed.source(at) is not Source.FRESH for at in range(len(feed)))


def test_a_list_is_the_same_until_the_reader_does_something(world: Database, serving: ServingModel) -> None:
    add_fresh_papers(world, 200, listed_at=NOW - timedelta(hours=3))
    served = serving.poll()
    before, again = build(world, served, 2, size=100), build(world, served, 2, size=100)
    assert (before.paper_ids, before.pool) == (again.paper_ids, again.pool)
    assert before.pool
    add_event(world, 2, before.pool[0], EventKind.DISMISS)
    assert before.pool[0] not in build(world, served, 2, size=100).pool


def test_lists_built_together_equal_lists_built_alone_also_with_chosen_categories(
    world: Database, served: Served, configure: Configure
) -> None:
    configure(EVERYTHING)
    with world.write() as session:
        session.execute(sa.update(User).where(User.user_id == 2).values(interests={"categories": ["cs.T2"]}))
    with world.read() as session:
        together = build_lists(session, served, [1, 2, 3], now=NOW, size=SIZE)
        alone = [build_list(session, served, user_id, now=NOW, size=SIZE) for user_id in (1, 2, 3)]
    assert [feed.paper_ids for feed in together] == [feed.paper_ids for feed in alone]


def test_the_policy_costs_no_statement_and_calibration_one(
    world: Database, served: Served, configure: Configure
) -> None:
    sent: list[str] = []
    sa.event.listen(world.engine, "before_cursor_execute", lambda *event: sent.append(event[2]), named=False)
    counts = {}
    configure(NEUTRAL)
    build(world, served, 1)  # the first one also reads the board
    everything_but = EVERYTHING | {"PAPERFEED_CATEGORY_CALIBRATION": "0"}
    for name, variables in (("neutral", NEUTRAL), ("uncalibrated", everything_but), ("everything", EVERYTHING)):
        configure(variables)
        sent.clear()
        build(world, served, 1)
        counts[name] = len([text for text in sent if text.startswith("SELECT")])
    assert counts["uncalibrated"] == counts["neutral"]
    assert counts["everything"] == counts["neutral"] + 1
