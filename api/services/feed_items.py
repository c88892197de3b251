"""Papers as items of a feed."""

import html
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from api.schemas.papers import arxiv_page
from api.services.syndication import Item, cleaned, one_line
from api.store.tables import Paper

LONGEST_TITLE: Final = 500  # characters; with the limits below a feed stays under half a megabyte
LONGEST_SUMMARY: Final = 5_000
MOST_AUTHORS: Final = 50
LONGEST_NAME: Final = 200
MOST_TAGS: Final = 20
NO_TITLE: Final = "(no title)"
MADE_UP: Final = "This paper is made up for the demonstration."


def make_item(paper: Paper, *, url: str, reason: str = "") -> Item:
    """Return a paper as an item whose link leads to `url`; `reason` says why it was chosen for one reader."""
    title = _shortened(one_line(paper.title), LONGEST_TITLE) or NO_TITLE
    summary = _shortened(one_line(paper.summary), LONGEST_SUMMARY)
    names = _unique(paper.authors, most=MOST_AUTHORS)
    published = paper.listed_at.astimezone(UTC)
    return Item(
        item_id=item_id(paper.external_id),
        url=url,
        external_url=arxiv_page(paper),
        title=title,
        summary=summary,
        html=_html(paper, summary, names, reason=reason),
        authors=names,
        tags=_unique([*paper.categories, *paper.keywords], most=MOST_TAGS),
        published=published,
        updated=max(published, _revised(paper) or published),
    )


def item_id(external_id: str) -> str:
    """Return the id under which feed readers know a paper: it says nothing of the host, which may move."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"paperfeed:papers/{external_id}").urn


def paper_path(external_id: str) -> str:
    """Return the path of a paper's page."""
    return "/papers/" + quote(external_id, safe="/:")


def _html(paper: Paper, summary: str, names: tuple[str, ...], *, reason: str) -> str:
    parts = [
        _emphasised(reason),
        _paragraph(", ".join(names)),
        _paragraph(summary),
        _links(paper),
        _emphasised(MADE_UP if paper.is_demo else ""),
    ]
    return "".join(parts)


def _links(paper: Paper) -> str:
    named = (("arXiv", arxiv_page(paper)), ("Code", paper.github_repo), ("Project page", paper.project_page))
    found = [f'<a href="{html.escape(url)}">{name}</a>' for name, url in named if url is not None and _is_address(url)]
    return f"<p>{' · '.join(found)}</p>" if found else ""


def _is_address(url: str) -> bool:
    return url.startswith(("https://", "http://")) and cleaned(url) == url and " " not in url


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _emphasised(text: str) -> str:
    return f"<p><em>{html.escape(one_line(text))}</em></p>" if text else ""


def _unique(texts: Iterable[object], *, most: int) -> tuple[str, ...]:
    found = dict.fromkeys(_shortened(one_line(str(text)), LONGEST_NAME) for text in texts)
    return tuple(text for text in found if text)[:most]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _revised(paper: Paper) -> datetime | None:
    return None if paper.revised_at is None else paper.revised_at.astimezone(UTC)
