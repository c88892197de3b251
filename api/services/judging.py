"""What a retrain fits and how its verdict is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from api.settings import Settings
from api.store import registry
from recommender.dataset import WeightConfig
from recommender.hybrid import HybridConfig

LONGEST_READ_MINUTES: Final = 10  # more reading of one paper says nothing more
UNJUDGED: Final = "unjudged"


@dataclass(frozen=True, slots=True)
class Champion:
    """The configuration that serves, to be refitted beside the challenger."""

    config: HybridConfig | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judgement means for the run."""

    is_refused: bool
    reason: str | None
    note: str | None


def event_weights(settings: Settings) -> WeightConfig:
    """Return the confidence per kind of event that the operator configured."""
    return WeightConfig(
        impression=settings.weight_impression,
        click=settings.weight_click,
        save=settings.weight_save,
        upvote=settings.weight_upvote,
        read_per_minute=settings.weight_read_minute,
        read_cap=settings.weight_read_minute * LONGEST_READ_MINUTES,
        half_life_days=settings.half_life_days,
        cap=settings.weight_cap,
    )


def read_champion(session: Session) -> Champion:
    """Return the serving version's configuration, None before the first promotion or where it cannot be read."""
    serving = registry.read_serving(session)
    model = None if serving is None else registry.load_model_version(session, serving.version)
    if model is None:
        return Champion(None, None)
    try:
        return Champion(HybridConfig.from_json(model.config["hybrid"]), None)
    except (KeyError, TypeError, ValueError) as error:
        return Champion(None, f"not compared with {model.version}: its configuration cannot be read ({error})")


def read_verdict(judgement: Mapping[str, Any]) -> Verdict:
    """Return what a judgement, as `workers.fitting` wrote it, decides."""
    text = str(judgement.get("note") or "")
    if judgement["verdict"] == "reject":
        return Verdict(True, f"the judge refused the model: {text}", None)
    if judgement["verdict"] == UNJUDGED:
        return Verdict(False, None, text if text.startswith(UNJUDGED) else f"{UNJUDGED}: {text}")
    return Verdict(False, None, None)
