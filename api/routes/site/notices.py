"""What a page says once after a form was sent: a cookie carries a name from here, and numbers, never the words."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from fastapi import Request, Response

COOKIE: Final = "paperfeed_told"
LASTS_SECONDS: Final = 60  # until the next page: a browser that never asks for it forgets
LONGEST_PAPER: Final = 2_400  # characters of an id as a cookie has it: 200 of any script
_SHAPE: Final = re.compile(
    rf"([a-z][a-z-]{{0,39}})((?:\.\d{{1,18}}){{0,4}})(?:/([A-Za-z0-9_.~%-]{{1,{LONGEST_PAPER}}}))?"
)

# Every part of the site adds its own words here; `{}` takes the numbers that follow the name, as in `imported.12.3`.
NOTICES: Final[dict[str, str]] = {
    "commented": "Your comment is there.",
    "comment-edited": "Your comment is changed.",
    "comment-deleted": "Your comment is deleted.",
    "comment-reported": "A moderator will look at this comment.",
    "comment-hidden": "The comment is hidden.",
    "comment-shown": "Everybody sees the comment.",
    "submitted": "Put into today's list: {}. To be fetched from arXiv: {}.",
    "submitted-before": "Put into today's list: {}. To be fetched from arXiv: {}. Nothing to do for: {}.",
    "save": "Saved.",
    "unsave": "No longer saved.",
    "upvote": "Voted.",
    "unvote": "Your vote is taken back.",
    "dismiss": "You will not see this paper again.",
    "undismiss": "You may see this paper again.",
    "gone": "This paper is not here any more: nothing was changed.",
    "away": "The database cannot be written just now: nothing was changed. Press the button again in a while.",
    "refused": "The form could not be read: nothing was changed.",
    "signed-in": "You are signed in.",
    "signed-in-along": "You are signed in. What you did in this browser before came along.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out, here and everywhere else.",
    "session-ended": "That browser is signed out.",
    "renamed": "Others see the new name from now on.",
    "interests": "Kept: your list follows.",
    "muted": "Kept: nothing of it stands in your lists from here on.",
    "personal": "Personal lists are on.",
    "impersonal": "Personal lists are off: you get what is trending and new.",
    "taste-forgotten": "Your taste is forgotten; your library is as it was.",
    "in-library": "This paper is in your library, that is why lists leave it out.",
    "judged": "Thank you: your list follows what you said.",
    "welcome": "Your list follows what you said.",
    "welcome-papers": "In your library: {}. To be fetched or waited for: {}. Not understood: {}.",
    "erased": "Everything is deleted.",
}
FAILURES: Final = frozenset({"gone", "away", "refused"})
# Where a notice leads to: its last number names the page and is not in its words.
LINKS: Final = {"welcome-papers": ("/library/imports/{}", "What became of each entry")}
UNDO: Final = {"save": "unsave", "dismiss": "undismiss", "upvote": "unvote", "unsave": "save", "unvote": "upvote"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the reader, and the press that takes back what it tells."""

    name: str
    text: str
    is_failure: bool = False
    undo: str | None = None  # a kind for `POST /act`
    paper: str | None = None  # external id
    link: str = ""  # a path
    link_text: str = ""


def name_notice(name: str, *numbers: int) -> str:
    """Return the name of a notice with its numbers, as `see_other(told=...)` takes it."""
    return ".".join((name, *map(str, numbers)))


def read_notice(request: Request) -> Notice | None:
    """Return what the page is to say, None without a cookie or for one that names nothing here."""
    return parse_notice(request.cookies.get(COOKIE, ""))


def parse_notice(told: str) -> Notice | None:
    """Return the notice of a name with its numbers, and its paper behind a slash; None for anything else."""
    found = _SHAPE.fullmatch(told)
    if found is None or found[1] not in NOTICES:
        return None
    name, numbers = found[1], [int(number) for number in found[2].split(".")[1:]]
    words, (path, link_text) = NOTICES[name], LINKS.get(name, ("", ""))
    if words.count("{}") + path.count("{}") != len(numbers):
        return None
    link = path.format(numbers[-1]) if path else ""
    return Notice(name, words.format(*numbers), name in FAILURES, *_undo_of(name, found[3]), link, link_text)


def tell(response: Response, told: str) -> None:
    """Let the next page say this once."""
    if parse_notice(told) is None:
        raise ValueError(f"no notice is called {told!r}: NOTICES in api/routes/site/notices.py has their words")
    response.set_cookie(COOKIE, told, max_age=LASTS_SECONDS, httponly=True, samesite="lax")


def forget(response: Response) -> None:
    """Say it no second time."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


def _undo_of(name: str, paper: str | None) -> tuple[str | None, str | None]:
    return (UNDO.get(name), unquote(paper)) if paper else (None, None)
