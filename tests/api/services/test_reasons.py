"""Reasons as a reader sees them."""

import pytest

from api.runtime.serving import Served
from api.services.reasons import tell
from api.store.engine import Database
from recommender.domain import EventKind
from tests.api.feed_world import add_event, add_reader, planted
from tests.api.services.test_feed import build


def test_a_reader_without_history_is_told_of_interests_and_one_with_it_of_reading(
    world: Database, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_reader(world, 900, interests={"terms": ["topic2word1 topic2word3"]})
    monkeypatch.setattr("api.services.feed.explain", lambda *_: {})  # the general reason is left
    assert tell(build(world, served, 900).reason(0), {}) == "close to your interests"
    add_event(world, 900, int(planted().texts.paper_ids[0]), EventKind.SAVE)
    assert tell(build(world, served, 900).reason(0), {}) == "close to what you read"
