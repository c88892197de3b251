"""What is indexed of one paper."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from api.store import search_schema as fields


@dataclass(frozen=True, slots=True)
class PaperDocument:
    """What is indexed of one paper."""

    paper_id: int
    external_id: str
    title: str
    summary: str
    keywords: tuple[str, ...]
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    organization_name: str  # empty: none
    organization_fullname: str
    has_code: bool
    is_withdrawn: bool
    upvotes: int
    updated_us: int  # microseconds since 1970
    listed_s: int  # seconds since 1970
    published_s: int | None
    daily_s: int | None
    year: int


def document_json(paper: PaperDocument) -> str:
    """Return a paper as the engine takes it."""
    names = list(dict.fromkeys(filter(None, (paper.organization_name, paper.organization_fullname))))
    texts = {
        "title": [paper.title],
        "summary": [paper.summary],
        "keywords": list(paper.keywords),
        "authors": list(paper.authors),
        "organization": names,
    }
    values: dict[str, object] = {
        fields.PAPER_ID: paper.paper_id,
        fields.UPDATED: paper.updated_us,
        fields.LISTED: paper.listed_s,
        fields.YEAR: paper.year,
        fields.UPVOTES: paper.upvotes,
        fields.HAS_CODE: paper.has_code,
        fields.IS_WITHDRAWN: paper.is_withdrawn,
        fields.EXTERNAL_ID: [paper.external_id.lower()],
        fields.CATEGORY: list(paper.categories),
        fields.CATEGORY_KEY: sorted(_category_keys(paper.categories)),
        fields.ORGANIZATION_NAME: names[:1],
        fields.ORGANIZATION_KEY: [name.lower() for name in names],
        fields.TEXT: ["\n".join((paper.title, paper.summary, *paper.keywords))],
        fields.WORDS: [text for part in texts.values() for text in part],
        fields.TITLE_WORDS: [paper.title],
        **texts,
    }
    if paper.published_s is not None:
        values[fields.PUBLISHED] = paper.published_s
    if paper.daily_s is not None:
        values[fields.DAILY] = paper.daily_s
    return orjson.dumps(values).decode()


def _category_keys(categories: Iterable[str]) -> set[str]:
    keys = {category.lower() for category in categories}
    return keys | {key.partition(".")[0] for key in keys}
