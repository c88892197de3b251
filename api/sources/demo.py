"""The demonstration: made-up papers, and readers with tastes whose saves a model can learn from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.sources import demo_words as words
from api.sources.records import Organization, PaperRecord
from recommender.domain import EventKind

SOURCE: Final = "demonstration"
SEED: Final = 1729
PAPERS: Final = 3_000
READERS: Final = 300
PAPER_DAYS: Final = 120  # papers appeared over this time
DAILY_DAYS: Final = 35  # days that have a daily list
PAPERS_A_DAILY_LIST: Final = 22
HISTORY_DAYS: Final = 60
SESSIONS: Final = 12  # visits of one reader, on average
TITLE_TRIES: Final = 50  # a theme has some hundred titles and two dozen papers
SHOWN: Final = 6  # papers a visit looks at
# arXiv numbers the papers of a month from 1 and is far from 90,000, so no real paper has such an id; should one ever
# come, it takes the row over as any real paper does.
FIRST_NUMBER: Final = 90_000

Floats = NDArray[np.float64]
Option = TypeVar("Option")


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """One thing that a made-up reader did."""

    reader: str
    paper: str
    kind: EventKind
    occurred_at: datetime
    position: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Demonstration:
    """Papers, newest first, readers and their histories in order of time."""

    papers: tuple[PaperRecord, ...]
    readers: tuple[str, ...]
    events: tuple[DemoEvent, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is drawn about all papers before they are written out; arrays are (papers,)."""

    topics: NDArray[np.int64]
    themes: NDArray[np.int64]  # topic * themes + theme
    age_days: Floats
    appeal: Floats  # how much better than its neighbours a paper is, mean about 1
    daily_day: NDArray[np.int64]  # days ago of its daily list, -1 none


def build_demonstration(now: datetime, *, papers: int = PAPERS, readers: int = READERS) -> Demonstration:
    """Return the demonstration as of `now`, the same for the same `now`."""
    random = np.random.default_rng(SEED)
    plan = _draw_plan(random, papers)
    taken: set[str] = set()
    records = tuple(_paper(random, plan, number, now=now, taken=taken) for number in range(papers))
    names, tastes = _draw_readers(random, readers)
    events: list[DemoEvent] = []
    for name, taste in zip(names, tastes, strict=True):
        events.extend(_history(random, name, taste[plan.themes], plan, records, now=now))
    events.sort(key=lambda event: event.occurred_at)
    return Demonstration(records, names, tuple(events))


def _draw_plan(random: np.random.Generator, papers: int) -> _Plan:
    per_topic = words.THEMES_PER_TOPIC
    topics = random.integers(len(words.TOPICS), size=papers)
    age_days = np.sort(random.uniform(0.02, PAPER_DAYS, size=papers))
    appeal = random.lognormal(-0.3, 0.8, size=papers)
    daily_day = np.full(papers, -1)
    for day in range(min(DAILY_DAYS, papers // PAPERS_A_DAILY_LIST)):
        # A daily list takes the most appealing papers of the days before it.
        fits = np.flatnonzero((daily_day < 0) & (age_days > day + 1) & (age_days < day + 5))
        daily_day[fits[np.argsort(-appeal[fits])[:PAPERS_A_DAILY_LIST]]] = day
    themes = topics * per_topic + random.integers(per_topic, size=papers)
    return _Plan(topics, themes, age_days, appeal, daily_day)


def _draw_readers(random: np.random.Generator, readers: int) -> tuple[tuple[str, ...], list[Floats]]:
    """Return names and, for each, the liking of each theme: one topic well, two in part, the rest hardly."""
    names: list[str] = []
    tastes: list[Floats] = []
    per_topic = words.THEMES_PER_TOPIC
    for number in range(readers):
        topics = random.choice(len(words.TOPICS), size=3, replace=False)
        taste = np.full(len(words.TOPICS) * per_topic, 0.004)
        taste[topics[0] * per_topic : (topics[0] + 1) * per_topic] = 0.5
        for topic, liking in zip(topics, (2.0, 1.0, 0.6), strict=True):
            taste[topic * per_topic + random.integers(per_topic)] = liking
        names.append(f"demo-{number + 1:03d}-{words.TOPICS[topics[0]].slug}")
        tastes.append(taste)
    return tuple(names), tastes


def _history(
    random: np.random.Generator,
    reader: str,
    liking: Floats,
    plan: _Plan,
    records: tuple[PaperRecord, ...],
    *,
    now: datetime,
) -> list[DemoEvent]:
    """Return what one reader did in their visits; `liking` is (papers,)."""
    events: list[DemoEvent] = []
    is_new = np.ones(len(records), dtype=bool)
    for ago in np.sort(random.uniform(0.05, HISTORY_DAYS, size=random.poisson(SESSIONS) + 3))[::-1]:
        age = plan.age_days - ago  # at the time of the visit
        weight = np.where(is_new & (age > 0), liking * plan.appeal * (0.1 + np.exp(-np.maximum(age, 0) / 10)), 0.0)
        chosen = _draw(random, weight + (age > 0) * is_new * 2e-3, SHOWN)
        is_new[chosen] = False
        for position, paper in enumerate(chosen.tolist()):
            at = now - timedelta(days=float(ago)) + timedelta(seconds=40 * position)
            wanted = liking[paper] * plan.appeal[paper]
            events.extend(_reaction(random, reader, records[paper], wanted, at=at, position=position))
    return events


def _draw(random: np.random.Generator, weight: Floats, count: int) -> NDArray[np.int64]:
    """Return distinct positions with chances by weight (Gumbel top-k)."""
    possible = np.flatnonzero(weight)
    keys = np.log(weight[possible]) + random.gumbel(size=len(possible))
    return possible[np.argsort(-keys)[:count]]


def _reaction(
    random: np.random.Generator, reader: str, paper: PaperRecord, wanted: float, *, at: datetime, position: int
) -> list[DemoEvent]:
    name = paper.external_id or ""
    events = [DemoEvent(reader, name, EventKind.IMPRESSION, at, position)]
    interest = wanted / (wanted + 0.4)
    if random.random() < interest:
        events.append(DemoEvent(reader, name, EventKind.CLICK, at + timedelta(seconds=5), position))
        seconds = round(float(random.gamma(2.0, 60.0 * interest)), 1)
        events.append(DemoEvent(reader, name, EventKind.READ, at + timedelta(seconds=20), position, seconds))
        if random.random() < 0.4 + 0.5 * interest:
            events.append(DemoEvent(reader, name, EventKind.SAVE, at + timedelta(seconds=25), position))
        if random.random() < 0.3 * interest:
            events.append(DemoEvent(reader, name, EventKind.UPVOTE, at + timedelta(seconds=28), position))
    elif random.random() < 0.06:
        events.append(DemoEvent(reader, name, EventKind.DISMISS, at + timedelta(seconds=4), position))
    return events


def _paper(random: np.random.Generator, plan: _Plan, number: int, *, now: datetime, taken: set[str]) -> PaperRecord:
    topic = words.TOPICS[plan.topics[number]]
    theme = topic.themes[plan.themes[number] % words.THEMES_PER_TOPIC]
    published_at = (now - timedelta(days=float(plan.age_days[number]))).replace(microsecond=0)
    popularity = float(plan.appeal[number])
    authors = tuple(dict.fromkeys(_author(random) for _ in range(random.integers(1, 7))))
    listed = plan.daily_day[number] >= 0
    organization = Organization(*_pick(random, words.ORGANIZATIONS)) if random.random() < 0.4 else None
    keywords = tuple(random.permutation(theme)[:3].tolist())
    fill = _Fill(random, topic, theme)
    return PaperRecord(
        title=_new_title(fill(_pick(random, words.TITLES)), number, topic, theme, taken=taken),
        source=SOURCE,
        external_id=f"{published_at:%y%m}.{FIRST_NUMBER + number}",
        summary=" ".join(fill(text) for text in random.permutation(words.SENTENCES)[: random.integers(4, 7)].tolist()),
        authors=authors,
        categories=(topic.category, topic.also) if random.random() < 0.6 else (topic.category,),
        keywords=keywords,
        organization=organization,
        published_at=published_at,
        daily_at=_daily_time(now, int(plan.daily_day[number]), minute=number % 600) if listed else None,
        submitted_by=_author(random).lower().replace(" ", "-") if listed else None,
        upvotes=int(random.poisson(9 * popularity)) if listed else 0,
        num_comments=int(random.poisson(popularity)) if listed else 0,
    )


def _new_title(title: str, number: int, topic: words.Topic, theme: tuple[str, ...], *, taken: set[str]) -> str:
    """Return `title`, or another one of the same theme where a paper before has it, and add it to `taken`."""
    random = np.random.default_rng((SEED, number))  # its own: all that is drawn after stays as it is
    for _ in range(TITLE_TRIES):
        if title not in taken:
            break
        title = _Fill(random, topic, theme)(_pick(random, words.TITLES))
    else:
        title = f"{title}, part {number}"
    taken.add(title)
    return title


def _daily_time(now: datetime, days_ago: int, *, minute: int) -> datetime:
    """Return a time on that day, never later than now."""
    day = (now - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(day + timedelta(minutes=minute), now)


class _Fill:
    """Fills the gaps of a phrase with words of one theme."""

    def __init__(self, random: np.random.Generator, topic: words.Topic, theme: tuple[str, ...]) -> None:
        self._random = random
        self._topic = topic
        self._theme = theme
        self._coined = _pick(random, words.COINED)

    def __call__(self, phrase: str) -> str:
        a, b, c = self._random.permutation(self._theme)[:3].tolist()
        text = phrase.format(
            a=a,
            b=b,
            c=c,
            A=a[:1].upper() + a[1:],
            topic=self._topic.name,
            coined=self._coined,
            Coined=self._coined,
            method=_pick(self._random, words.METHODS),
            adjective=_pick(self._random, words.ADJECTIVES),
            gain=self._random.integers(2, 19),
        )
        return text[:1].upper() + text[1:]


def _author(random: np.random.Generator) -> str:
    return f"{_pick(random, words.FIRST_NAMES)} {_pick(random, words.LAST_NAMES)}"


def _pick(random: np.random.Generator, options: tuple[Option, ...]) -> Option:
    return options[int(random.integers(len(options)))]
