"""Papers from the network: Hugging Face daily papers and the arXiv API, within a deadline that nothing outlasts."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

import httpx2

from api.settings import Settings
from api.sources.detect import parse_stream
from api.sources.records import PaperRecord, RejectedLine

log = logging.getLogger(__name__)

REQUEST_SECONDS: Final = 8.0
LARGEST_ANSWER: Final = 32 * 2**20  # bytes
DAILY_LISTS: Final = 7  # days, today's first
PAPERS_A_LIST: Final = 100  # the most that the list route gives
ARXIV_PAPERS: Final = 300  # newest submissions; arXiv allows one request in three seconds, so it is one
USER_AGENT: Final = "paperfeed/0.1"


class FetchFailed(Exception):
    """A source gave no papers; the message says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one request brought: papers, or a problem."""

    source: str
    papers: tuple[PaperRecord, ...] = ()
    problem: str | None = None


Fetch = Callable[[httpx2.Client], tuple[PaperRecord, ...]]


def fetch_recent(settings: Settings, *, today: date, seconds: float) -> Iterator[Fetched]:
    """Give what the sources answer, as it arrives, and end after `seconds` whatever they do.

    Each source is asked in a thread of its own, which is left behind when time is up: a hanging name look-up cannot be
    interrupted.
    """
    answers: queue.SimpleQueue[Fetched | None] = queue.SimpleQueue()
    sources = {"Hugging Face daily papers": _daily_lists(settings, today), "arXiv": [_newest_of_arxiv(settings)]}
    for source, fetches in sources.items():
        threading.Thread(target=_ask, args=(source, fetches, answers), name=f"fetch {source}", daemon=True).start()
    deadline = time.monotonic() + seconds
    running = len(sources)
    while running:
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            yield Fetched("network", problem=f"no further answer within {seconds:g} s")
            return
        if answer is None:
            running -= 1
        else:
            yield answer


def _ask(source: str, fetches: Sequence[Fetch], answers: "queue.SimpleQueue[Fetched | None]") -> None:
    try:
        with httpx2.Client(
            timeout=REQUEST_SECONDS, follow_redirects=True, headers={"User-Agent": USER_AGENT}
        ) as client:
            for fetch in fetches:
                answers.put(Fetched(source, papers=fetch(client)))
    except (FetchFailed, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        answers.put(Fetched(source, problem=f"{type(error).__name__}: {error}"))
    finally:
        answers.put(None)


def _daily_lists(settings: Settings, today: date) -> list[Fetch]:
    address = f"{settings.huggingface_url.rstrip('/')}/api/daily_papers?limit={PAPERS_A_LIST}"
    days = [f"&date={today - timedelta(days=ago):%Y-%m-%d}" for ago in range(1, DAILY_LISTS)]
    return [partial(_papers_at, address + day, name="huggingface") for day in ("", *days)]


def _newest_of_arxiv(settings: Settings) -> Fetch:
    categories = "+OR+".join(f"cat:{category}" for category in settings.arxiv_categories.split())
    query = f"search_query={categories}&sortBy=submittedDate&sortOrder=descending&max_results={ARXIV_PAPERS}"
    return partial(_papers_at, f"{settings.arxiv_url.rstrip('/')}/api/query?{query}", name="arxiv-atom")


def _papers_at(address: str, client: httpx2.Client, *, name: str) -> tuple[PaperRecord, ...]:
    found = list(parse_stream(_body(address, client), name=name))
    rejected = [item for item in found if isinstance(item, RejectedLine)]
    papers = tuple(item for item in found if isinstance(item, PaperRecord))
    if rejected and not papers:
        raise FetchFailed(f"{address}: {rejected[0].reason}")
    if rejected:
        log.warning("papers left out", extra={"url": address, "rejected": len(rejected), "first": rejected[0].reason})
    return papers


def _body(address: str, client: httpx2.Client) -> Iterator[bytes]:
    size = 0
    with client.stream("GET", address) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise FetchFailed(f"{address}: the answer is larger than {LARGEST_ANSWER:,} bytes")
            yield chunk
