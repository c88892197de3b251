"""What the page says after a button was pressed: the address carries a name from here, never the words."""

from dataclasses import dataclass
from typing import Final

from api.errors import InvalidRequest, ServiceError, Unavailable
from api.runtime.state import Runtime
from api.store.papers import load_papers, paper_ids_of

_DONE: Final = {
    "save": "Saved {}.",
    "dismiss": "You will not see {} again.",
    "unsave": "{} is no longer saved.",
    "undismiss": "You may see {} again.",
}
_UNDO: Final = {"save": "unsave", "dismiss": "undismiss"}
GONE: Final = "gone"
NAME: Final = "name"
AWAY: Final = "away"
REFUSED: Final = "refused"
_FAILED: Final = {
    GONE: "This paper is not here any more: nothing was changed.",
    NAME: "A reader's name has 1 to 200 printable characters.",
    AWAY: "The database cannot be written just now: press the button again.",
    REFUSED: "The form could not be read: nothing was changed.",
}
_FIELDS: Final = {"paper": GONE, "reader": NAME}


@dataclass(frozen=True, slots=True)
class Note:
    """One line for the reader, and the button that takes back what it tells."""

    text: str
    undo: str | None = None
    paper_id: str = ""


def name_failure(error: ServiceError) -> str:
    """Return the name of the note that tells an error of a form."""
    if isinstance(error, Unavailable):
        return AWAY
    return _FIELDS.get(str(error.fields.get("field")), REFUSED) if isinstance(error, InvalidRequest) else REFUSED


def read_note(runtime: Runtime, name: str, *, paper_id: str) -> Note | None:
    """Return the note of this name, None when there is none."""
    if name in _FAILED:
        return Note(_FAILED[name])
    if name not in _DONE:
        return None
    with runtime.db.read() as session:
        found = load_papers(session, paper_ids_of(session, [paper_id]).values())
    paper = next(iter(found.values()), None)
    if paper is None:
        return Note(_FAILED[GONE])
    return Note(_DONE[name].format(f"“{paper.title}”"), _UNDO.get(name), paper_id)
