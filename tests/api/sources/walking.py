"""Steps of a source walked over real HTTP, one request after the other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import httpx2

from api.sources.records import Deletion, Json, PaperRecord, RejectedLine
from api.sources.steps import Ask, Got, Step, Stepper

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
MOST_REQUESTS = 50

OptionsT = TypeVar("OptionsT")


@dataclass(slots=True)
class Walked:
    """What a run brought."""

    cursor: Json | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def papers(self) -> list[PaperRecord]:
        return [item for step in self.steps for item in step.records if isinstance(item, PaperRecord)]

    @property
    def ids(self) -> list[str | None]:
        return [paper.external_id for paper in self.papers]

    @property
    def deletions(self) -> list[Deletion]:
        return [item for step in self.steps for item in step.records if isinstance(item, Deletion)]

    @property
    def rejected(self) -> list[RejectedLine]:
        return [item for step in self.steps for item in step.records if isinstance(item, RejectedLine)]

    @property
    def problems(self) -> list[str]:
        return [step.problem for step in self.steps if step.problem]

    @property
    def last(self) -> Step:
        return self.steps[-1]


@contextmanager
def asking() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=10.0) as client:
        yield client


def fetch(client: httpx2.Client, ask: Ask, validators: dict[str, str] | None = None) -> Got:
    """Return the answer; `validators` ({url: ETag}) are sent with conditional requests, and learnt."""
    headers = dict(ask.headers)
    if validators is not None and ask.is_conditional and ask.url in validators:
        headers["If-None-Match"] = validators[ask.url]
    response = client.request("GET" if ask.body is None else "POST", ask.url, headers=headers, content=ask.body)
    if validators is not None and "etag" in response.headers:
        validators[ask.url] = response.headers["etag"]
    return Got(response.status_code, dict(response.headers), response.content, str(response.url))


def walk(
    stepper: Stepper[OptionsT],
    options: OptionsT,
    *,
    cursor: Mapping[str, object] | None = None,
    now: datetime = NOW,
    validators: dict[str, str] | None = None,
    most: int = MOST_REQUESTS,
) -> Walked:
    """Read a source until it is done, ends unfinished or has been asked `most` times."""
    walked = Walked(None if cursor is None else dict(cursor))
    with asking() as client:
        ask = stepper.first(walked.cursor, now=now, options=options)
        while ask is not None and len(walked.steps) < most:
            step = stepper.read(fetch(client, ask, validators), walked.cursor, now=now, options=options)
            walked.steps.append(step)
            walked.cursor, ask = step.cursor, step.then
    return walked
