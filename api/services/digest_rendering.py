"""Mails of digests in words: text and HTML of issues and of the question whether an address is its owner's."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import jinja2

from api.services.digest_issues import Issue
from api.services.digest_times import DAILY, WEEKDAYS, Schedule
from api.services.mailing import Mail, one_line
from api.settings import Settings
from api.store.tables import Paper
from api.store.tables_mails import Digest

TEMPLATES: Final = Path(__file__).parent.parent / "web" / "templates" / "mail"
LONGEST_SUMMARY: Final = 420  # characters of an abstract: some programs cut mails of more than 100 kB
MOST_NAMES: Final = 3  # authors named
CONFIRM: Final = "confirm"
TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class Item:
    """One paper of an issue, as the mail says it."""

    title: str
    byline: str
    reason: str
    summary: str
    url: str


@dataclass(frozen=True, slots=True)
class Words:
    """Both forms of a mail, and what stands above it."""

    subject: str
    text: str
    html: str


def write_issue(
    issue: Issue, schedule: Schedule, settings: Settings, *, day: str, stop_token: str, is_personal: bool
) -> Words:
    """Return an issue in words, with links that say which slate they were in."""
    kind = "Your papers" if is_personal else "Trending papers"
    heading = f"{kind}, {day}" if schedule.cadence == DAILY else f"{kind} of the week, {day}"
    values: dict[str, object] = {
        "heading": heading,
        "site": settings.site_url,
        "items": tell_items(issue, settings.site_url),
        "why": f"You get this {tell_schedule(schedule)} because this address asked for it.",
        # Whose digest has no reader behind it changes it by the link that also ends it.
        "settings_url": f"{settings.site_url}/settings/digest" if is_personal else stop_url(settings, stop_token),
        "stop_url": stop_url(settings, stop_token),
    }
    subject = f"{heading}: {issue.papers[0].title}" if issue.papers else heading
    return Words(one_line(subject), _render("digest.txt", values), _render("digest.html", values))


def tell_items(issue: Issue, site: str) -> list[Item]:
    """Return the papers of an issue in words, with links below an address of the site."""
    return [_item(site, issue, at) for at in range(len(issue.papers))]


def write_confirmation(settings: Settings, digest: Digest, *, token: str, until: datetime) -> Mail:
    """Return the mail that asks the owner of an address whether they want a digest."""
    what = "trending papers" if digest.user_id is None else "papers chosen for a reader"
    values: dict[str, object] = {
        "heading": "Papers by mail: is this your address?",
        "what": what,
        "site": settings.site_url,
        "confirm_url": f"{settings.site_url}/digest/confirm/{quote(token)}",
        "until": f"{until:%Y-%m-%d %H:%M} UTC",
    }
    words = Words(str(values["heading"]), _render("confirm.txt", values), _render("confirm.html", values))
    return Mail(
        digest.recipient,
        words.subject,
        words.text,
        words.html,
        kind=CONFIRM,
        user_id=digest.user_id,
        digest_id=digest.digest_id,
        useful_until=until,
    )


def issue_headers(settings: Settings, stop_token: str) -> dict[str, str]:
    """Return the headers by which mail programs offer to end a digest with one press (RFC 2369, RFC 8058)."""
    headers = {
        "List-Unsubscribe": f"<{stop_url(settings, stop_token)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Precedence": "bulk",
    }
    return headers if settings.site_url.isascii() else {"Precedence": "bulk"}


def stop_url(settings: Settings, stop_token: str) -> str:
    """Return the address that ends a digest: a page for a person, a POST for a mail program."""
    return f"{settings.site_url}/digest/stop/{quote(stop_token)}"


def tell_schedule(schedule: Schedule) -> str:
    """Return a schedule as words: every day at 07:00 (Europe/Berlin)."""
    when = "every day" if schedule.cadence == DAILY else f"every {WEEKDAYS[schedule.weekday]}"
    return f"{when} at {schedule.hour:02d}:00 ({schedule.zone})"


def _item(site: str, issue: Issue, at: int) -> Item:
    paper = issue.papers[at]
    query = urlencode({"slate": issue.slate, "position": at + 1})
    return Item(
        one_line(paper.title),
        one_line(_byline(paper)),
        one_line(issue.reasons[at]),
        _shortened(one_line(paper.ai_summary or paper.summary)),
        f"{site}/papers/{quote(paper.external_id, safe='/')}?{query}",
    )


def _byline(paper: Paper) -> str:
    names = [str(name) for name in paper.authors[:MOST_NAMES]]
    count = max(paper.num_authors or 0, len(paper.authors))
    if not names:
        organisation = paper.organization or {}
        return str(organisation.get("fullname") or organisation.get("name") or (f"{count} authors" if count else ""))
    more = count - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_SUMMARY:
        return text
    return text[: LONGEST_SUMMARY - 1].rsplit(" ", 1)[0] + "…"


def _render(name: str, values: dict[str, object]) -> str:
    return _templates().get_template(name).render(values)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
