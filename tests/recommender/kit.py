"""Small things the recommender tests share."""

import numpy as np

from recommender.config import HybridConfig
from recommender.dataset import WeightConfig
from recommender.domain import EventKind, Ids, Interactions
from tests.planted import Planted

WEIGHTS = WeightConfig()
SMALL = HybridConfig(rank=8, epochs=8, l2=0.1, alpha=10.0, text_dim=8, content_dim=8, gram_dim=8, num_threads=1)


def events_of(log: Interactions, reader: int) -> Interactions:
    """The events of one reader."""
    return log.select(log.user_ids == reader)


def topic_share(world: Planted, paper_ids: Ids, topic: int) -> float:
    """The share of the papers that belong to the topic."""
    return float(np.mean(world.topics(paper_ids) == topic))


def log_of(*events: tuple[int, int, EventKind, float, float]) -> Interactions:
    """A log from (user, paper, kind, time, value) lines."""
    users, papers, kinds, times, values = zip(*events, strict=True) if events else ((), (), (), (), ())
    return Interactions(
        np.array(users, dtype=np.int64),
        np.array(papers, dtype=np.int64),
        np.array(kinds, dtype=np.uint8),
        np.array(times, dtype=np.float64),
        np.array(values, dtype=np.float32),
    )
