"""For those who watch the service: /livez, /readyz and /metrics, without a token."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Response

from api.routes.deps import RuntimeDep
from api.runtime import metrics
from api.schemas.health import AliveOut, CheckOut, ReadyOut
from api.services.health import read_gauges, read_health, read_source_gauges

router = APIRouter(tags=["health"])

_NOT_READY: Final = {
    "model": ReadyOut,
    "description": "Requests cannot be served: the database is away, its tables are not ready, or no paper is known.",
}
_METRICS_EXAMPLE: Final = '# TYPE paperfeed_feeds counter\npaperfeed_feeds_total{source="personal"} 12.0\n'


@router.get("/livez", summary="Is the process alive?")
async def read_livez() -> AliveOut:
    """Answer without asking anything else; restart the process when this fails."""
    return AliveOut()


@router.get("/readyz", summary="Can requests be served?", responses={503: _NOT_READY})
def read_readyz(runtime: RuntimeDep, response: Response) -> ReadyOut:
    """Answer 200 while requests can be served, `degraded` included, and 503 otherwise."""
    health = read_health(runtime.settings, runtime.db, now=datetime.now(UTC), model_failure=runtime.serving.failure)
    response.status_code = 200 if health.can_serve else 503
    response.headers["Cache-Control"] = "no-store"
    checks = {name: CheckOut(state=check.state, detail=check.detail) for name, check in health.checks.items()}
    return ReadyOut.model_validate({"status": health.status, "checks": checks})


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": _METRICS_EXAMPLE}}}},
)
def read_metrics(runtime: RuntimeDep) -> Response:
    """Answer in Prometheus's text format."""
    now = datetime.now(UTC)
    gauges = read_gauges(runtime.settings, runtime.db, now=now)
    by_source = read_source_gauges(runtime.settings, runtime.db, now=now)
    return Response(metrics.render(gauges, by_source), media_type=metrics.CONTENT_TYPE)
