"""Lines at the top of every page about what is not as it should be, in words that say what to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.routes.deps import RuntimeDep
from api.routes.site.words import age
from api.runtime.state import Runtime


@dataclass(frozen=True, slots=True)
class Banner:
    """One line; what stands between backticks is a command."""

    text: str
    title: str = ""


async def know_conditions(runtime: RuntimeDep) -> None:
    """Have the state of the service looked up before a page tells it, where that was long ago: a dependency."""
    await runtime.conditions.ready()


def find_banners(runtime: Runtime) -> list[Banner]:
    """Return what every page says about the state of the service, most important first."""
    found = runtime.conditions.read()
    banners = []
    if not found.is_database_up:
        banners.append(
            Banner(
                "What you see may be old, and nothing can be saved: `paperfeed doctor` says why.",
                "The database does not answer.",
            )
        )
    elif not found.is_writable:
        banners.append(
            Banner("Pages can be read, but saves and votes cannot be kept for now.", "The database is read-only.")
        )
    if found.is_demonstration:
        words = "`paperfeed demo remove` takes them away, `paperfeed ingest` loads real ones."
        banners.append(Banner(f"These papers, readers and votes are made up. {words}", "Demonstration."))
    elif not found.has_papers:
        banners.append(Banner("There are no papers yet. Load some with `paperfeed ingest FILE`."))
    elif (old := _tell_age(runtime)) is not None:
        banners.append(Banner(f"These papers are as of {old}: `paperfeed sources` says why none have come since."))
    if not found.is_cache_up:
        banners.append(Banner("The cache is away: lists are built on the spot, which takes a little longer."))
    if runtime.serving.current is None:
        banners.append(Banner(_about_model(runtime, has_promoted=found.has_promoted)))
    return banners


def find_own_banners(runtime: Runtime, user_id: int | None) -> list[Banner]:
    """Return what pages say to one reader."""
    if user_id is None or user_id not in runtime.conditions.read().bounced:
        return []
    words = "Give another address, or the same again, under Settings, Digest by mail."
    return [Banner(words, "Your digest has stopped: your mail address refuses it.")]


def _about_model(runtime: Runtime, *, has_promoted: bool) -> str:
    if not has_promoted:
        return "No model has been fitted yet: until the first retrain ends, readers get what is trending and new."
    if runtime.serving.failure:
        return "The model cannot be loaded: `paperfeed doctor` says why."
    return "The model is being loaded: a few seconds."


def _tell_age(runtime: Runtime) -> str | None:
    as_of, now = runtime.freshness.as_of, datetime.now(UTC)
    if as_of is None or now - as_of < timedelta(days=runtime.settings.source_old_days):
        return None
    return age(as_of, now=now)
