"""Lists' pages as finished bytes, cut where a visitor's own comes: the token of forms, the slate, cards they marked."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from api.routes.rendering import PAGE_HEADERS, fragment
from api.routes.site.cards import CARD_TEMPLATE, CardView

PAGE_TYPE: Final = "text/html; charset=utf-8"
FINISHED_HEADERS: Final = {**PAGE_HEADERS, "Cache-Control": "private, no-store", "Vary": "Accept, Cookie"}
CSRF_GAP: Final = f"csrf-{secrets.token_hex(16)}"  # stands where the token of a visitor's forms comes
SLATE_GAP: Final = f"slate-{secrets.token_hex(16)}"  # and what the page tells the log that it shows them
_GAPS: Final = re.compile(f"({CSRF_GAP}|{SLATE_GAP})")


@dataclass(frozen=True, slots=True)
class Finished:
    """A page for all who get the same but for what is said of `pieces`."""

    pieces: tuple[bytes, ...]
    csrf_at: tuple[int, ...]
    slate_at: tuple[int, ...]  # empty where all share a slate, too
    card_at: tuple[int, ...]  # in the order of the cards
    route: str  # as figures name it
    status: int

    def answer(self, *, csrf: str, slate: str | None, own: Mapping[int, CardView]) -> Response:
        """Return the page for a visitor; `own` are the cards that look otherwise to them, by their places."""
        pieces = list(self.pieces)
        for at in self.csrf_at:
            pieces[at] = csrf.encode("ascii")
        for at in self.slate_at:
            pieces[at] = (slate or "").encode("ascii")
        for number, card in own.items():
            pieces[self.card_at[number]] = fragment(CARD_TEMPLATE, card).encode()
        return Response(b"".join(pieces), status_code=self.status, media_type=PAGE_TYPE, headers=FINISHED_HEADERS)


def cut_page(html: str, cards: Sequence[CardView], *, route: str, status: int) -> Finished:
    """Return a page that was written with gaps and with these cards; raises ValueError where one is not on it."""
    pieces: list[str] = []
    card_at = []
    rest = html
    for card in cards:
        written = str(fragment(CARD_TEMPLATE, card))
        at = rest.index(written)
        pieces += _GAPS.split(rest[:at])
        card_at.append(len(pieces))
        pieces.append(written)
        rest = rest[at + len(written) :]
    pieces += _GAPS.split(rest)
    return Finished(
        pieces=tuple(piece.encode() for piece in pieces),
        csrf_at=_places(CSRF_GAP, pieces),
        slate_at=_places(SLATE_GAP, pieces),
        card_at=tuple(card_at),
        route=route,
        status=status,
    )


def _places(gap: str, pieces: Sequence[str]) -> tuple[int, ...]:
    return tuple(at for at, piece in enumerate(pieces) if piece == gap)
