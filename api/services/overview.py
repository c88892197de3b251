"""The installation in a few words, for the start page."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from api.runtime.serving import Served
from api.store.papers import has_papers
from api.store.readers import recent_reader_names
from api.store.registry import read_serving
from api.store.state import read_state

MOST_READERS: Final = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page says about the installation."""

    has_papers: bool
    version: str | None  # that answers in this process
    has_promoted: bool  # a version answers, though perhaps not in this process yet
    is_demonstration: bool
    readers: list[str]  # names, most recently active first


def read_overview(session: Session, served: Served | None) -> Overview:
    """Return the installation at a glance."""
    return Overview(
        has_papers=has_papers(session),
        version=None if served is None else served.version,
        has_promoted=served is not None or read_serving(session) is not None,
        is_demonstration=bool((read_state(session, "demonstration") or {}).get("loaded")),
        readers=recent_reader_names(session, limit=MOST_READERS),
    )
