"""Papers as plain JSON objects, one a line: the format for everything that has no format of its own."""

from api.sources.records import (
    BadRecord,
    Json,
    PaperRecord,
    authors_of,
    categories_of,
    count_of,
    doi_of,
    id_of,
    name_or_none,
    organization_of,
    summary_of,
    text_or_none,
    time_of,
    title_of,
    words_of,
)

SOURCE = "file"


def record_of(line: Json) -> PaperRecord:
    """Return the paper of one object: `title` and any other field of a paper, under our name or a usual other one."""
    return PaperRecord(
        title=title_of(line.get("title")),
        source=SOURCE,
        external_id=id_of(_first(line, "id", "external_id", "paper_id", "arxiv_id")),
        summary=summary_of(_first(line, "summary", "abstract")),
        authors=authors_of(line.get("authors")),
        num_authors=count_of(line.get("num_authors"), name="num_authors"),
        categories=categories_of(line.get("categories")),
        keywords=words_of(line.get("keywords"), name="keywords", separator=","),
        organization=organization_of(line.get("organization")),
        published_at=time_of(_first(line, "published_at", "published"), name="published_at"),
        daily_at=time_of(line.get("daily_at"), name="daily_at"),
        submitted_by=name_or_none(line.get("submitted_by"), name="submitted_by"),
        upvotes=count_of(line.get("upvotes"), name="upvotes"),
        num_comments=count_of(line.get("num_comments"), name="num_comments"),
        project_page=text_or_none(line.get("project_page"), name="project_page"),
        github_repo=text_or_none(line.get("github_repo"), name="github_repo"),
        github_stars=count_of(line.get("github_stars"), name="github_stars"),
        thumbnail=text_or_none(line.get("thumbnail"), name="thumbnail"),
        ai_summary=text_or_none(line.get("ai_summary"), name="ai_summary"),
        version=count_of(line.get("version"), name="version"),
        revised_at=time_of(line.get("revised_at"), name="revised_at"),
        is_withdrawn=_claim(line.get("withdrawn"), name="withdrawn"),
        doi=doi_of(line.get("doi")),
        journal_ref=text_or_none(line.get("journal_ref"), name="journal_ref"),
        citations=count_of(line.get("citations"), name="citations"),
        references=count_of(line.get("references"), name="references"),
        fields=words_of(line.get("fields"), name="fields", separator=","),
    )


def _first(line: Json, *names: str) -> object:
    for name in names:
        if line.get(name) not in (None, ""):
            return line[name]
    return None


def _claim(value: object, *, name: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise BadRecord(f"{name} is neither true nor false")
    return value
