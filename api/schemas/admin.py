"""Training runs and model versions on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RunState = Literal["queued", "running", "succeeded", "rejected", "failed", "cancelled"]
Stage = Literal["snapshot", "judge", "fit", "warm", "promote"]

RUN_EXAMPLE: dict[str, Any] = {
    "id": 7,
    "state": "succeeded",
    "stage": "promote",
    "progress": 1.0,
    "trigger": "admin",
    "created_at": "2026-03-01T03:00:00Z",
    "started_at": "2026-03-01T03:00:01Z",
    "finished_at": "2026-03-01T03:01:12Z",
    "attempts": 1,
    "cancel_requested": False,
    "version": "20260301-030000-r7",
    "figures": {
        "judgement": {
            "verdict": "promote",
            "split": "temporal",
            "readers": 412,
            "figures": {"challenger": {"ndcg@20": 0.21}, "popularity": {"ndcg@20": 0.03}},
        },
        "readers": 5551,
        "papers": 16980,
        "events": 204986,
        "fit_seconds": 21.4,
        "peak_memory_mb": 910.5,
        "warm": {"lists": 5551, "seconds": 18.2},
    },
    "reason": None,
    "note": None,
}
QUEUED_EXAMPLE: dict[str, Any] = RUN_EXAMPLE | {
    "state": "queued",
    "stage": None,
    "progress": 0.0,
    "started_at": None,
    "finished_at": None,
    "attempts": 0,
    "version": None,
    "figures": None,
}
CANCELLED_EXAMPLE: dict[str, Any] = QUEUED_EXAMPLE | {
    "state": "cancelled",
    "finished_at": "2026-03-01T03:00:05Z",
    "cancel_requested": True,
    "reason": "cancelled before it began",
}
MODEL_EXAMPLE: dict[str, Any] = {
    "version": "20260301-030000-r7",
    "run_id": 7,
    "created_at": "2026-03-01T03:00:40Z",
    "promoted_at": "2026-03-01T03:01:12Z",
    "deleted_at": None,
    "is_serving": True,
    "is_previous": False,
    "config": {"hybrid": {"rank": 256}, "weights": {"save": 3.0}, "seed": 20},
    "figures": {"readers": 5551, "papers": 16980},
    "note": None,
    "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
SERVING_EXAMPLE: dict[str, Any] = {
    "version": "20260301-030000-r7",
    "previous": "20260228-030000-r6",
    "switched_at": "2026-03-01T03:01:12Z",
}


class RunOut(BaseModel):
    """One retrain, from request to verdict."""

    model_config = ConfigDict(json_schema_extra={"example": RUN_EXAMPLE})

    id: int
    state: RunState
    stage: Stage | None = Field(description="What it does now, or did last.")
    progress: float = Field(ge=0, le=1, description="Of the stage.")
    trigger: str = Field(description="admin, nightly, events, command, first_start or repair.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int = Field(description="How often a worker began or went on with it.")
    cancel_requested: bool
    version: str | None = Field(description="The name of the model it makes.")
    figures: dict[str, Any] | None = Field(description="The judgement, sizes, seconds and memory, as far as known.")
    reason: str | None = Field(description="Why it was rejected, failed or cancelled.")
    note: str | None = Field(description="What is worth knowing about a success, such as `unjudged`.")


class RunsOut(BaseModel):
    """A page of runs, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [RUN_EXAMPLE], "next": None}})

    items: list[RunOut]
    next: str | None


class ModelOut(BaseModel):
    """One model version."""

    model_config = ConfigDict(json_schema_extra={"example": MODEL_EXAMPLE})

    version: str
    run_id: int | None
    created_at: datetime
    promoted_at: datetime | None = Field(description="When it last began to answer.")
    deleted_at: datetime | None = Field(description="When its artifact was removed; it cannot be promoted any more.")
    is_serving: bool
    is_previous: bool = Field(description="True for the version that `rollback` goes back to.")
    config: dict[str, Any]
    figures: dict[str, Any] | None
    note: str | None
    fingerprint: str = Field(description="sha256 of the data set it was fitted on.")


class ModelsOut(BaseModel):
    """A page of model versions, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [MODEL_EXAMPLE], "next": None}})

    items: list[ModelOut]
    next: str | None


class ServingOut(BaseModel):
    """Which version answers now."""

    model_config = ConfigDict(json_schema_extra={"example": SERVING_EXAMPLE})

    version: str
    previous: str | None
    switched_at: datetime
