"""A handful of papers to judge, one after the other: those whose answers tell most about what else to show."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest
from api.ids import normalised_id
from api.routes.deciding import follow_interests
from api.routes.deps import RuntimeDep
from api.routes.site.acts import Press, record
from api.routes.site.asking import address
from api.routes.site.cards import CardView, card_views
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services.questions import QUESTIONS, choose_question, note_liked

router = APIRouter(include_in_schema=False)

PATH: Final = "/welcome/judge"
FOR_YOU: Final = "/for-you"
LONGEST_SKIPPED: Final = 1_000  # characters of an address: what was skipped long ago may be asked again
BETWEEN: Final = "|"
YES, NO, SKIP = "yes", "no", "skip"


@dataclass(frozen=True, slots=True)
class Asking:
    """How far a visitor has come; it travels with the form, nothing is kept of it."""

    step: int = 1
    skipped: tuple[str, ...] = ()  # external ids

    @classmethod
    def read(cls, step: str, skipped: str) -> "Asking":
        """Return what an address or a form says; what cannot be is where it began."""
        is_number = step.isascii() and step.isdecimal() and len(step) <= 2
        names = []
        for name in skipped[:LONGEST_SKIPPED].split(BETWEEN):
            try:
                names.append(normalised_id(name))
            except ValueError:
                continue
        return cls(min(max(int(step), 1), QUESTIONS) if is_number else 1, tuple(names))

    def after(self, *, skipped: str | None = None) -> "Asking | None":
        """Return the next step, None after the last one; a skipped paper is no answer."""
        if skipped is not None:
            names = (*self.skipped, skipped)
            while len(BETWEEN.join(names)) > LONGEST_SKIPPED:
                names = names[1:]
            return Asking(self.step, names)
        return None if self.step >= QUESTIONS else Asking(self.step + 1, self.skipped)

    @property
    def href(self) -> str:
        """The address of this step."""
        return address(PATH, step=self.step, skipped=BETWEEN.join(self.skipped))


@router.get(PATH)
async def read_judge(
    request: Request, runtime: RuntimeDep, visit: VisitDep, step: str = "1", skipped: str = ""
) -> Response:
    """Show the paper to judge next."""
    asking = Asking.read(step, skipped)
    card = await run_in_threadpool(_choose, runtime, visit, asking)
    return render(
        request,
        visit,
        "site/judge.html",
        card=card,
        step=asking.step,
        steps=QUESTIONS,
        skipped=BETWEEN.join(asking.skipped),
    )


@router.post(PATH)
async def post_judgement(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Keep the answer and go on with what is best asked after it."""
    form = await read_form(request, visit)
    asking, paper, answer = Asking.read(form.get("step"), form.get("skipped")), form.get("paper"), form.get("answer")
    if answer not in (YES, NO, SKIP):
        raise InvalidRequest("an answer is yes, no or skip", field="answer")
    try:
        await _keep(runtime, visit, paper, answer)
    except InvalidRequest:  # removed meanwhile
        return see_other(visit.link(asking.href), told="gone")
    following = asking.after(skipped=paper if answer == SKIP else None)
    if following is None:
        return see_other(visit.link(FOR_YOU), told="judged")
    return see_other(visit.link(following.href))


async def _keep(runtime: Runtime, visit: Visit, paper: str, answer: str) -> None:
    if answer == NO:
        await record(runtime, visit, Press("dismiss", paper, None, None))
    elif answer == YES:
        await run_in_threadpool(_like, runtime, visit, paper)


def _like(runtime: Runtime, visit: Visit, paper: str) -> None:
    with runtime.db.write() as session:
        user_id = note_liked(session, visit.name, paper, now=datetime.now(UTC))
    follow_interests(runtime, visit.name, user_id)


def _choose(runtime: Runtime, visit: Visit, asking: Asking) -> CardView | None:
    with runtime.db.read() as session:
        paper_id = choose_question(
            session, runtime.serving.current, visit.user_id, skipped=asking.skipped, now=datetime.now(UTC)
        )
    cards = [] if paper_id is None else card_views(runtime, [paper_id], visit)
    return cards[0] if cards else None
