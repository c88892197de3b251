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
    item_text_dim: int = 600  # leading text directions that take part in the item weights
    memory_budget_mb: float = 2500.0  # above it item weights are learned for the most read papers only
    item_weight: float = 1.5  # shares of the blend for papers with history; 0 leaves a part out
    als_weight: float = 0.6
    content_weight: float = 0.4  # for a history of 16 papers; words help short histories more
    content_weight_per_doubling: float = -0.15
    text_dim: int = 256  # leading text directions
    max_terms: int = 200_000
    content_l2: float = 2.0
    content_lsa_weight: float = 0.3
    content_als_share: float = 0.55  # of the ridge target; the rest are the saves themselves
    # Papers without history stand beside the others at scale * words + shift. Both change with each
    # doubling of the reader's history from 16 papers: the longer it is, the surer the other readers are.
    cold_scale: float = 1.3
    cold_scale_per_doubling: float = -0.2
    cold_shift: float = 0.2
    cold_shift_per_doubling: float = -0.4
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
