"""What this installation asks of each source: the questions, the manners, and the papers that lack what it knows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from pydantic import SecretStr
from sqlalchemy.orm import Session

from api.services.metadata import Batch, find_batch
from api.settings import Settings
from api.settings_sources import ARXIV, ARXIV_OAI, ARXIV_RSS, HUGGINGFACE, OPENALEX, SEMANTIC_SCHOLAR
from api.sources import arxiv_oai, arxiv_query, arxiv_rss, huggingface_daily, openalex, semanticscholar
from api.sources.records import Json
from api.sources.steps import Ask, Got, Step, Stepper
from workers.polite import Manners

MEGABYTE: Final = 2**20
ZOTERO: Final = "zotero"
# Groups of arXiv whose archive has the same name; the others belong to physics.
_GROUPS: Final = frozenset({"cs", "econ", "eess", "math", "q-bio", "q-fin", "stat"})

Options = TypeVar("Options")


class Source(Protocol):
    """A stepper with its options."""

    def first(self, cursor: Json | None, *, now: datetime) -> Ask | None:
        """Return the question to begin or to go on with."""

    def read(self, got: Got, cursor: Json | None, *, now: datetime) -> Step:
        """Return what the answer gave."""


@dataclass(frozen=True, slots=True)
class _Bound(Generic[Options]):
    stepper: Stepper[Options]
    options: Options

    def first(self, cursor: Json | None, *, now: datetime) -> Ask | None:
        return self.stepper.first(cursor, now=now, options=self.options)

    def read(self, got: Got, cursor: Json | None, *, now: datetime) -> Step:
        return self.stepper.read(got, cursor, now=now, options=self.options)


class FindBatch(Protocol):
    """Finds the next papers that a source of metadata is asked about; None when it has told all for now."""

    def __call__(self, session: Session, cursor: Json | None, *, now: datetime) -> Batch | None:
        """Return the papers, with the cursor behind them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one source is read."""

    name: str
    scope: str  # what its cursor is about
    manners: Manners
    about: Callable[[tuple[str, ...]], Source]  # the source, asked about these papers where it wants to be told
    find_batch: FindBatch | None = None

    @property
    def source(self) -> Source:
        """The source as it is asked where it needs no papers to be named."""
        return self.about(())


def plan_of(settings: Settings, name: str, *, tries: int = 3, request_seconds: float | None = None) -> Plan:
    """Return how a source is read; a host that is busy is asked `tries` times."""
    pauses = {
        HUGGINGFACE: settings.huggingface_pause_seconds,
        SEMANTIC_SCHOLAR: settings.semanticscholar_pause_seconds,
        OPENALEX: settings.openalex_pause_seconds,
    }
    manners = Manners(
        pace=name if name in pauses else ARXIV,  # all addresses of arXiv count as one to it
        pause_seconds=pauses.get(name, settings.arxiv_pause_seconds),
        contact=settings.source_contact,
        request_seconds=request_seconds or settings.source_request_seconds,
        most_bytes=int(settings.source_megabytes * MEGABYTE),
        tries=tries,
    )
    return _PLANNERS[name](settings, manners)


def zotero_manners(settings: Settings) -> Manners:
    """Return how Zotero is asked."""
    return Manners(
        pace=ZOTERO,
        pause_seconds=settings.zotero_pause_seconds,
        contact=settings.source_contact,
        request_seconds=settings.source_request_seconds,
        most_bytes=int(settings.source_megabytes * MEGABYTE),
    )


def _huggingface(settings: Settings, manners: Manners) -> Plan:
    options = huggingface_daily.Options(base_url=settings.huggingface_url, days=settings.upvote_days)
    return Plan(HUGGINGFACE, settings.huggingface_url, manners, lambda _: _Bound(huggingface_daily, options))


def _arxiv(settings: Settings, manners: Manners) -> Plan:
    options = arxiv_query.Options(categories=_categories(settings), base_url=settings.arxiv_url)
    return Plan(ARXIV, _scope(settings, settings.arxiv_url), manners, lambda _: _Bound(arxiv_query, options))


def _arxiv_rss(settings: Settings, manners: Manners) -> Plan:
    options = arxiv_rss.Options(categories=_categories(settings), base_url=settings.arxiv_rss_url)
    return Plan(ARXIV_RSS, _scope(settings, settings.arxiv_rss_url), manners, lambda _: _Bound(arxiv_rss, options))


def _arxiv_oai(settings: Settings, manners: Manners) -> Plan:
    sets = tuple(oai_set(category) for category in _categories(settings))
    options = arxiv_oai.Options(base_url=settings.arxiv_oai_url, sets=sets)
    return Plan(ARXIV_OAI, _scope(settings, settings.arxiv_oai_url), manners, lambda _: _Bound(arxiv_oai, options))


def _semantic_scholar(settings: Settings, manners: Manners) -> Plan:
    address, key = settings.semanticscholar_url, _key(settings.semanticscholar_key)

    def about(ids: tuple[str, ...]) -> Source:
        return _Bound(semanticscholar, semanticscholar.Options(ids=ids, api_key=key, base_url=address))

    find = partial(find_batch, size=semanticscholar.IDS_A_REQUEST, every=_metadata_every(settings))
    return Plan(SEMANTIC_SCHOLAR, address, manners, about, find)


def _openalex(settings: Settings, manners: Manners) -> Plan:
    address, key = settings.openalex_url, _key(settings.openalex_key)

    def about(ids: tuple[str, ...]) -> Source:
        return _Bound(openalex, openalex.Options(ids=ids, api_key=key, base_url=address))

    find = partial(find_batch, size=openalex.IDS_A_REQUEST, every=_metadata_every(settings))
    return Plan(OPENALEX, address, manners, about, find)


def oai_set(category: str) -> str:
    """Return the set of arXiv's OAI-PMH that holds a category: group, archive and, where there is one, subject."""
    archive, _, subject = category.partition(".")
    group = archive if archive in _GROUPS else "physics"
    return ":".join((group, archive, subject) if subject else (group, archive))


def _categories(settings: Settings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(settings.arxiv_categories.split()))


def _scope(settings: Settings, address: str) -> str:
    return f"{address} {' '.join(sorted(_categories(settings)))}"


def _key(key: SecretStr | None) -> str | None:
    return None if key is None else key.get_secret_value()


def _metadata_every(settings: Settings) -> timedelta:
    return timedelta(days=settings.metadata_days)


_PLANNERS: Final[dict[str, Callable[[Settings, Manners], Plan]]] = {
    HUGGINGFACE: _huggingface,
    ARXIV: _arxiv,
    ARXIV_RSS: _arxiv_rss,
    ARXIV_OAI: _arxiv_oai,
    SEMANTIC_SCHOLAR: _semantic_scholar,
    OPENALEX: _openalex,
}
