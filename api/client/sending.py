"""What both clients share: sending recorded events from a thread, and cutting batches."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import httpx2

from api.client import calls
from api.client.buffering import Buffering
from api.client.delivery import cut
from api.client.outbox import Outbox
from api.client.retries import Retry
from api.client.transport import Account, Attempts, send
from api.client.values import Event, EventResult, Json

ONCE = Retry(attempts=1)  # the outbox itself tries again


def build_outbox(account: Account, buffering: Buffering, http: Callable[[], httpx2.Client]) -> Outbox:
    """Return the outbox of a client; `http` is called in the thread that sends."""
    draws = random.Random()

    def send_once(reader: str | None, events: Sequence[Json]) -> Sequence[EventResult]:
        attempts = Attempts(ONCE, is_repeatable=True, draws=draws)
        return send(http(), replace(account, reader=reader), calls.send_events(events), attempts).results

    owner = buffering.account or public_part(account.token) or account.reader or ""
    return Outbox(send_once, buffering, f"{account.base_url}\0{owner}")


def public_part(token: str | None) -> str | None:
    """Return the part of a token that is no secret."""
    return None if token is None else token.rpartition("_")[0]


def batches(events: Sequence[Event]) -> Iterator[list[Json]]:
    """Return events as bodies the service takes."""
    documents = [event.to_json() for event in events]
    sized = [(document, sum(map(len, map(str, document.values()))) * 2) for document in documents]
    return cut(sized, most_events=calls.MOST_EVENTS, most_bytes=calls.MOST_BATCH_BYTES)
