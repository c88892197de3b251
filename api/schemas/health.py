"""What /livez and /readyz answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class AliveOut(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class CheckOut(BaseModel):
    """One part of the service."""

    state: Literal["ok", "degraded", "failed"]
    detail: str


class ReadyOut(BaseModel):
    """All parts; `unavailable` comes with status 503."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "degraded",
                    "checks": {
                        "database": {"state": "ok", "detail": "answers"},
                        "cache": {"state": "ok", "detail": "answers"},
                        "broker": {"state": "ok", "detail": "answers"},
                        "migrations": {"state": "ok", "detail": "tables are of this version"},
                        "model": {
                            "state": "degraded",
                            "detail": "no model yet, feeds show trending and latest papers: a training run is running",
                        },
                        "sources": {"state": "ok", "detail": "papers, the newest is 5 hours old"},
                    },
                }
            ]
        }
    )

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, CheckOut]
