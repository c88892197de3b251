"""The tunables of the hybrid, as one frozen value that travels with the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class HybridConfig:
    """Everything a fit depends on besides data and seed. Defaults were chosen on CiteULike validation."""

    rank: int = 256  # ALS factors
    l2: float = 60.0  # ALS regularisation
    alpha: float = 40.0  # ALS confidence of one typical save
    epochs: int = 10
    item_l2: float = 10.0  # item weights: ridge penalty, and how much each reader of a paper adds to it
    item_l2_per_reader: float = 1.0
    item_text_weight: float = 3.0  # how loudly words speak in the item weights
    item_text_dim: int = 400  # leading text directions that take part in the item weights
    memory_budget_mb: float = 2500.0  # above it there are no item weights
    work_budget_gflop: float = 8_000.0  # of dense flops; above it parts shrink as budget.py says,
    work_ratio: float = 1.5  # or above so many times what bare ALS would take, where that is more
    item_weight: float = 1.5  # shares of the blend for papers with history; 0 leaves a part out
    als_weight: float = 1.0
    neighbour_weight: float = 0.2
    neighbour_readers: int = 20_000  # with more readers than this neighbours are left out
    content_weight: float = 0.4
    text_dim: int = 256  # leading text directions that make the text vector
    content_dim: int = 384  # leading text directions of the ridge on words
    gram_dim: int = 256  # leading directions of letter groups
    max_terms: int = 200_000
    vector_kernel: float = 0.3  # what unit text vectors and letter groups weigh beside words
    gram_kernel: float = 2.0
    sentence_kernel: float = 20.0  # and vectors of a sentence encoder, where papers have them
    content_saves_l2: float = 4.0  # ridge penalties, in units of the kernel of a paper with itself
    content_als_l2: float = 0.8
    content_saves_weight: float = 0.8  # of the ridge of the saves, where that of the ALS scores weighs 1;
    content_plain_weight: float = 0.1  # of the same in the curved mix of blend.py,
    content_square_weight: float = 0.12  # of its square there, and of its product with the ALS half,
    content_both_weight: float = 0.1  # in deviations of the straight mix
    tuning_readers: int = 1000  # the calibration of the one list is learned on so many readers; 0 never
    tuning_least_pairs: int = 20_000
    tuning_most_pairs: int = 1_000_000
    tuning_epochs: int = 6  # of the second fit this takes, and its text directions in the item weights
    tuning_item_text_dim: int = 200
    shortlist_papers: int = 50_000  # with so many papers a few readers' lists are made in two stages, see shortlist.py
    shortlist_size: int = 4000  # papers that the second stage scores exactly
    outline_papers: int = 2_000  # with so many papers searches by text take two stages, see text_search.py
    num_threads: int = 0  # 0: all cores

    def to_json(self) -> dict[str, int | float]:
        """The fields as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Self:
        """The config of `to_json`; missing fields take their default, unknown ones raise ValueError."""
        known = {field.name: field.type for field in fields(cls)}
        unknown = sorted(set(stored) - set(known))
        if unknown:
            raise ValueError(f"unknown tunables: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        values: dict[str, int | float] = {}
        for name, value in stored.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"tunable {name} must be a number, not {value!r}")
            values[name] = int(value) if known[name] is int else float(value)
        return cls(**values)  # type: ignore[arg-type]  # types were matched field by field above
