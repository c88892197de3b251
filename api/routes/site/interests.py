"""What a reader likes, mutes, and lets be known of their taste."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest
from api.ids import normalised_id
from api.routes.deciding import follow_decision, follow_interests
from api.routes.deps import RuntimeDep
from api.routes.site.cards import paper_path
from api.routes.site.forms import Form
from api.routes.site.subjects import Subject, make_subjects
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import accounts, deciding
from api.services.accounts import Interests
from api.services.deciding import Decided
from api.services.muting import KINDS, LONGEST_RULE, MOST_RULES, Muted
from api.services.subjects import list_subjects
from api.store.taste_rows import Decisions, load_titles

router = APIRouter(include_in_schema=False)

PATH: Final = "/settings/interests"
MOST_CATEGORIES: Final = 50
MOST_TERMS: Final = 50
LONGEST_TERM: Final = 200
MOST_PAPERS: Final = 500
CONFIRMED: Final = "yes"
Decide = Callable[[Session], Decided]


@dataclass(frozen=True, slots=True)
class Liked:
    """A paper that a reader named."""

    paper_id: str  # external
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields: what is kept, or what was sent and cannot be kept as it is."""

    categories: tuple[str, ...]
    other_categories: str
    terms: str
    papers: tuple[str, ...]
    more_papers: str
    muted: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Everything the page shows."""

    interests: Interests
    decisions: Decisions
    subjects: tuple[str, ...]
    titles: dict[str, str]


@router.get(PATH)
async def read_interests_page(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Show what is kept, in fields that change it."""
    return await _show(request, runtime, visit)


@router.post(PATH)
async def post_interests(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Replace what the visitor likes; their next list follows."""
    form = await read_form(request, visit)
    try:
        wanted = read_interests_form(form)
        user_id = await run_in_threadpool(_write_interests, runtime, visit.name, wanted)
    except InvalidRequest as error:
        return await _show(request, runtime, visit, form=form, problem=error)
    await run_in_threadpool(follow_interests, runtime, visit.name, user_id)
    return see_other(visit.link(PATH), told="interests")


@router.post("/settings/muted")
async def post_muted(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Replace what the visitor mutes; no personal list shows any of it from here on."""
    form = await read_form(request, visit)
    muted = Muted(*(tuple(_lines(form.get(kind))) for kind in KINDS))
    try:
        await _decide(runtime, visit, lambda session: deciding.mute(session, visit.name, muted, now=_now()))
    except InvalidRequest as error:
        return await _show(request, runtime, visit, form=form, problem=error)
    return see_other(visit.link(f"{PATH}#muted"), told="muted")


@router.post("/settings/personalisation")
async def post_personalisation(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Switch personal lists on, or off."""
    form = await read_form(request, visit)
    if form.get("personal") == CONFIRMED:
        await _decide(runtime, visit, lambda session: deciding.personalise(session, visit.name, now=_now()))
        return see_other(visit.link(f"{PATH}#personal"), told="personal")
    await _decide(runtime, visit, lambda session: deciding.depersonalise(session, visit.name, now=_now()))
    return see_other(visit.link(f"{PATH}#personal"), told="impersonal")


@router.post("/settings/taste/reset")
async def post_reset(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Forget what is known of the visitor's taste."""
    form = await read_form(request, visit)
    if form.get("sure") != CONFIRMED:
        problem = InvalidRequest("Tick the box if you are sure: nothing was forgotten.", field="sure")
        return await _show(request, runtime, visit, problem=problem)
    await _decide(runtime, visit, lambda session: deciding.forget_taste(session, visit.name, now=_now()))
    return see_other(visit.link(PATH), told="taste-forgotten")


def read_interests_form(form: Form) -> Interests:
    """Return what a form says is liked; raises InvalidRequest for what cannot be kept."""
    categories = list(dict.fromkeys([*form.all("category"), *_words(form.get("other_categories"))]))
    terms = list(dict.fromkeys(_lines(form.get("terms"))))
    names = [*form.all("paper"), *_words(form.get("more_papers"))]
    if len(categories) > MOST_CATEGORIES or any(len(one) > 60 or not one.isprintable() for one in categories):
        raise InvalidRequest(f"Up to {MOST_CATEGORIES} categories of up to 60 characters.", field="other_categories")
    if len(terms) > MOST_TERMS or any(len(one) > LONGEST_TERM or not one.isprintable() for one in terms):
        raise InvalidRequest(f"Up to {MOST_TERMS} topics of up to {LONGEST_TERM} characters.", field="liked_terms")
    try:
        papers = list(dict.fromkeys(normalised_id(name) for name in names))
    except ValueError:
        raise InvalidRequest("One of these is no id of a paper.", field="more_papers") from None
    if len(papers) > MOST_PAPERS:
        raise InvalidRequest(f"Up to {MOST_PAPERS} papers; those you save teach as well.", field="more_papers")
    return Interests(tuple(categories), tuple(terms), tuple(papers))


async def _show(
    request: Request,
    runtime: Runtime,
    visit: Visit,
    *,
    form: Form | None = None,
    problem: InvalidRequest | None = None,
) -> Response:
    kept = await run_in_threadpool(_load, runtime, visit)
    typed = _typed(kept, form)
    titles = kept.titles
    return render(
        request,
        visit,
        "site/interests.html",
        status=200 if problem is None else problem.status,
        typed=typed,
        subjects=_subjects(kept, typed),
        liked=[Liked(one, titles.get(one) or one, paper_path(one)) for one in typed.papers],
        is_personal=kept.decisions.is_personal,
        reset_at=kept.decisions.reset_at,
        most_rules=MOST_RULES,
        longest_rule=LONGEST_RULE,
        problem_field=_field_of(problem),
        problem=problem.detail if problem is not None else "",
    )


def _field_of(problem: InvalidRequest | None) -> str:
    if problem is None:
        return ""
    return "more_papers" if "unknown_papers" in problem.fields else str(problem.fields.get("field", ""))


def _subjects(kept: _Kept, typed: Typed) -> list[Subject]:
    return make_subjects(kept.subjects, chosen=typed.categories)


def _typed(kept: _Kept, form: Form | None) -> Typed:
    """What was sent of a form with a problem, and what is kept of the others."""
    muted = Muted.from_stored(kept.decisions.muted)
    fields = {kind: "\n".join(getattr(muted, kind)) for kind in KINDS}
    said = kept.interests
    if form is not None and form.is_set("authors"):  # the form of mutings
        fields = {kind: form.get(kind) for kind in KINDS}
    elif form is not None:
        categories, papers = tuple(form.all("category")), tuple(form.all("paper"))
        others, more = form.get("other_categories"), form.get("more_papers")
        return Typed(categories, others, form.get("terms"), papers, more, fields)
    return Typed(said.categories, "", "\n".join(said.terms), said.papers, "", fields)


def _load(runtime: Runtime, visit: Visit) -> _Kept:
    with runtime.db.read() as session:
        interests = accounts.read_interests(session, visit.user_id)
        decisions = deciding.read_decisions(session, visit.user_id)
        return _Kept(interests, decisions, list_subjects(session), load_titles(session, interests.papers))


def _write_interests(runtime: Runtime, name: str, wanted: Interests) -> int:
    with runtime.db.write() as session:
        return accounts.write_interests(session, name, wanted, now=_now())[0]


async def _decide(runtime: Runtime, visit: Visit, decide: Decide) -> None:
    await run_in_threadpool(_commit, runtime, visit.name, decide)


def _commit(runtime: Runtime, name: str, decide: Decide) -> None:
    with runtime.db.write() as session:
        decided = decide(session)
    follow_decision(runtime, name, decided)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").split()


def _now() -> datetime:
    return datetime.now(UTC)
