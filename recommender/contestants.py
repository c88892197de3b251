"""The rankers an evaluation compares, by name."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from recommender.baselines import AlsOnly, ContentOnly, Latest, Popularity, Progress, Recommender
from recommender.config import HybridConfig
from recommender.dataset import Dataset
from recommender.hybrid import Hybrid

Fit: TypeAlias = Callable[[Dataset, Progress], Recommender]
HYBRID: Final = "hybrid"
MODELS: Final = {
    HYBRID: "signal and words, as the service ranks",
    "content": "words alone",
    "als": "factors of readers' likings alone",
    "latest": "newest first, the same for everybody",
    "popularity": "papers by the number of their readers, the same for everybody",
}


def contestants(names: Sequence[str], config: HybridConfig, *, seed: int) -> dict[str, Fit]:
    """How each named model is fitted; `config` is that of the hybrid, baselines keep the defaults.

    Raises ValueError for a name nobody knows.
    """
    usual = HybridConfig()
    fits: dict[str, Fit] = {
        HYBRID: lambda dataset, report: Hybrid.fit(dataset, config, seed=seed, progress=report),
        "content": lambda dataset, report: ContentOnly.fit(dataset, usual, seed=seed, progress=report),
        "als": lambda dataset, report: AlsOnly.fit(dataset, usual, seed=seed, progress=report),
        "latest": lambda dataset, report: Latest.fit(dataset, progress=report),
        "popularity": lambda dataset, report: Popularity.fit(dataset, progress=report),
    }
    unknown = [name for name in names if name not in fits]
    if unknown or not names:
        raise ValueError(f"unknown model {', '.join(unknown) or 'without a name'}: known are {', '.join(fits)}")
    return {name: fits[name] for name in fits if name in names}
