"""Hugging Face daily papers: items of the list, which wrap a paper, and records of single papers."""

from api.sources.records import (
    BadRecord,
    Json,
    PaperRecord,
    authors_of,
    count_of,
    id_of,
    name_or_none,
    organization_of,
    summary_of,
    text_or_none,
    time_of,
    title_of,
    words_of,
)

SOURCE = "huggingface"


def record_of(item: Json) -> PaperRecord:
    """Return the paper of an item of the daily list (`{"paper": {...}, ...}`) or of a record of one paper."""
    inner = item.get("paper", item)
    if not isinstance(inner, dict):
        raise BadRecord("paper is not an object")
    paper: Json = inner
    external_id = id_of(paper.get("id"))
    if external_id is None:
        raise BadRecord("the id is missing")
    return PaperRecord(
        title=title_of(paper.get("title") or item.get("title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary_of(paper.get("summary") or item.get("summary")),
        authors=authors_of(paper.get("authors")),
        keywords=words_of(_either(paper, item, "ai_keywords"), name="ai_keywords", separator=","),
        organization=organization_of(_either(paper, item, "organization")),
        published_at=time_of(paper.get("publishedAt"), name="publishedAt"),
        daily_at=time_of(_daily_day(paper, item), name="submittedOnDailyAt"),
        submitted_by=_submitter(paper.get("submittedOnDailyBy") or item.get("submittedBy")),
        upvotes=count_of(_either(paper, item, "upvotes"), name="upvotes"),
        num_comments=count_of(_either(paper, item, "numComments"), name="numComments"),
        project_page=text_or_none(_either(paper, item, "projectPage"), name="projectPage"),
        github_repo=text_or_none(_either(paper, item, "githubRepo"), name="githubRepo"),
        github_stars=count_of(_either(paper, item, "githubStars"), name="githubStars"),
        thumbnail=text_or_none(_either(paper, item, "thumbnail"), name="thumbnail"),
        ai_summary=text_or_none(_either(paper, item, "ai_summary"), name="ai_summary"),
    )


def _either(paper: Json, item: Json, name: str) -> object:
    value = paper.get(name)
    return item.get(name) if value is None else value


def _daily_day(paper: Json, item: Json) -> object:
    """Return the day in the list, which is an item's own `publishedAt`; a paper's is the day of its first version."""
    wrapped = item.get("publishedAt") if item is not paper else None
    return paper.get("submittedOnDailyAt") or wrapped


def _submitter(person: object) -> str | None:
    if isinstance(person, dict):
        person = person.get("user") or person.get("name") or person.get("fullname")
    return name_or_none(person, name="submittedOnDailyBy")
