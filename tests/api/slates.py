"""Slates as they are once opened, for tests that need no signature."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.schemas.events import Code, OpenedSlate
from api.services.event_parsing import OpenSlate


@dataclass(frozen=True, slots=True)
class PlainShown:
    """How a paper was shown."""

    position: int
    source: int = 0
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class PlainSlate:
    """What a page showed."""

    papers: Mapping[int, PlainShown] = field(default_factory=dict)
    user_id: int = 0
    slate_id: str = "0123456789abcdef"
    version: str = "v1"
    variant: str = "base"


def opener(slates: Mapping[str, OpenedSlate | Code]) -> OpenSlate:
    """Return a function that knows these tokens; every other one is forged."""

    def open_slate(token: str) -> OpenedSlate | Code:
        return slates.get(token, "forged_slate")

    return open_slate
