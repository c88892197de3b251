"""The first visit: say what you like in one of several ways, or nothing, and the first list is personal."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest
from api.routes.deciding import follow_interests
from api.routes.deps import RuntimeDep
from api.routes.site.forms import Form
from api.routes.site.importing import import_into_library
from api.routes.site.interests import read_interests_form
from api.routes.site.notices import name_notice
from api.routes.site.subjects import make_subjects
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import accounts
from api.services.accounts import Interests
from api.services.bibliography import (
    ReadReferences,
    Reference,
    RejectedReference,
    decode_text,
    detect_format,
    read_text,
)
from api.services.library_import import count_fates
from api.services.subjects import list_subjects
from api.store import users

router = APIRouter(include_in_schema=False)

PATH: Final = "/welcome"
FOR_YOU: Final = "/for-you"
JUDGE: Final = "/welcome/judge"
LONGEST_PASTED: Final = 200_000  # characters; a longer list is a file
SHOWN_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a newcomer handed over."""

    interests: Interests
    format: str
    read: ReadReferences

    @property
    def has_papers(self) -> bool:
        """True when something was pasted or sent as a file."""
        return any(self.read)


@router.get(PATH)
async def read_welcome(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Ask what the visitor likes."""
    return await _show(request, runtime, visit)


@router.post(PATH)
async def post_welcome(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Keep what was said, save the papers that are here, and show the list that follows from it at once."""
    form = await read_form(request, visit)
    try:
        seeds = await run_in_threadpool(read_seeds, form)
    except InvalidRequest as error:
        return await _show(request, runtime, visit, form=form, problem=error.detail)
    user_id = await run_in_threadpool(_write_interests, runtime, visit, seeds.interests)
    told = "welcome"
    if seeds.has_papers:
        done = await import_into_library(runtime, visit, seeds.read, source=seeds.format)
        fates = count_fates(done.outcomes)
        here, waiting = fates["saved"] + fates["there"], fates["fetching"] + fates["pending"]
        told = name_notice("welcome-papers", here, waiting, fates["unreadable"], done.import_id)
    if user_id is not None or seeds.has_papers:
        await run_in_threadpool(_follow, runtime, visit, user_id)
    elif form.get("next") != "judge":
        return see_other(visit.link(FOR_YOU))
    where = JUDGE if form.get("next") == "judge" else FOR_YOU
    return see_other(visit.link(where), told=None if user_id is None and not seeds.has_papers else told)


def read_seeds(form: Form) -> Seeds:
    """Return what a form hands over; raises InvalidRequest for what says nothing at all."""
    interests = read_interests_form(form)
    pasted, file = form.get("papers"), form.file("file")
    if len(pasted) > LONGEST_PASTED:
        raise InvalidRequest("That is too much to paste: send it as a file.", field="papers")
    texts = [text for text in (pasted, decode_text(file) if file else "") if text.strip()]
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    for text in texts:
        references, problems = read_text(text)
        found, rejected = [*found, *references], [*rejected, *problems]
    if texts and not found:
        reasons = "; ".join(f"line {one.line}: {one.reason}" for one in rejected[:SHOWN_PROBLEMS])
        raise InvalidRequest(f"No paper was found in that. {reasons}".strip(), field="papers")
    return Seeds(interests, detect_format(texts[-1]) if texts else "", (found, rejected))


async def _show(
    request: Request, runtime: Runtime, visit: Visit, *, form: Form | None = None, problem: str = ""
) -> Response:
    subjects, kept = await run_in_threadpool(_load, runtime, visit)
    chosen = kept.categories if form is None else tuple(form.all("category"))
    return render(
        request,
        visit,
        "site/welcome.html",
        status=422 if problem else 200,
        subjects=make_subjects(subjects, chosen=chosen),
        terms="\n".join(kept.terms) if form is None else form.get("terms"),
        papers="" if form is None else form.get("papers")[:LONGEST_PASTED],
        problem=problem,
    )


def _load(runtime: Runtime, visit: Visit) -> tuple[tuple[str, ...], Interests]:
    with runtime.db.read() as session:
        return list_subjects(session), accounts.read_interests(session, visit.user_id)


def _write_interests(runtime: Runtime, visit: Visit, said: Interests) -> int | None:
    """Keep topics, beside papers that were named before; nothing is written for somebody who said nothing."""
    with runtime.db.write() as session:
        kept = accounts.read_interests(session, visit.user_id)
        wanted = Interests(said.categories, said.terms, kept.papers)
        if wanted == kept:
            return None
        return accounts.write_interests(session, visit.name, wanted, now=_now())[0]


def _follow(runtime: Runtime, visit: Visit, user_id: int | None) -> None:
    if user_id is None:
        with runtime.db.read() as session:
            user_id = users.find_user_id(session, visit.name)
    if user_id is not None:
        follow_interests(runtime, visit.name, user_id)


def _now() -> datetime:
    return datetime.now(UTC)
