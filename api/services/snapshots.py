"""What a training run will see, taken from the database once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.services.embedding import read_fit_texts
from api.services.judging import event_weights, read_champion
from api.settings import Settings
from api.store import events, papers
from api.store.snapshots import read_json, write_json, write_snapshot
from recommender.domain import Interactions
from recommender.hybrid import HybridConfig

PLAN: Final = "plan.json"
SNAPSHOT: Final = "snapshot"


class NothingToLearn(InvalidRequest):
    """There is not one paper."""

    title, type_name = "Nothing to learn from", "nothing-to-learn"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the judge and the fit depend on besides the arrays; it stays the same when a run is resumed."""

    now: float  # epoch seconds at which events are aged
    last_event_pk: int
    seed: int
    weights: dict[str, float]
    challenger: dict[str, int | float]
    champion: dict[str, int | float] | None
    note: str | None
    encoder: str = ""  # of the sentence vectors in the snapshot, empty without

    @property
    def stored_config(self) -> dict[str, Any]:
        """What a model version keeps to be refitted as a champion, extended, or reproduced."""
        return {"hybrid": self.challenger, "weights": self.weights, "seed": self.seed, "encoder": self.encoder}


def load_plan(folder: Path) -> Plan | None:
    """Return the plan of a run whose snapshot is whole."""
    stored = read_json(folder / PLAN) if (folder / SNAPSHOT).is_dir() else None
    return None if stored is None else Plan(**stored)


def take_snapshot(
    session: Session, folder: Path, *, settings: Settings, now: datetime, report: Callable[[float], None]
) -> Plan:
    """Write the log, the texts and the plan of a run into `folder`; raises NothingToLearn without papers."""
    if not papers.newest_paper_id(session):
        raise NothingToLearn("There is no paper to learn from: load some with `paperfeed ingest`.")
    last_event_pk = events.newest_event_pk(session)
    champion = read_champion(session)
    papers_read = read_fit_texts(session, settings.sentence_encoder)
    plan = Plan(
        now=now.timestamp(),
        last_event_pk=last_event_pk,
        seed=settings.train_seed,
        weights=event_weights(settings).to_json(),
        challenger=HybridConfig(memory_budget_mb=settings.memory_budget_mb).to_json(),
        champion=None if champion.config is None else champion.config.to_json(),
        note="; ".join(note for note in (champion.note, papers_read.note) if note) or None,
        encoder=papers_read.encoder,
    )
    total = max(events.count_events_since(session, 0, api_only=False), 1)
    log = events.load_all_interactions(session, up_to_event_pk=last_event_pk)
    folder.mkdir(parents=True, exist_ok=True)
    write_snapshot(folder / SNAPSHOT, interactions=_counted(log, total, report), texts=papers_read.texts)
    write_json(folder / PLAN, {name: getattr(plan, name) for name in Plan.__dataclass_fields__})
    return plan


def _counted(log: Iterator[Interactions], total: int, report: Callable[[float], None]) -> Iterator[Interactions]:
    seen = 0
    for part in log:
        yield part
        seen += len(part)
        report(min(seen / total, 1.0))
