"""A paper as markdown, and what its page says beside title and abstract."""

from typing import Final

from api.schemas.papers import arxiv_page
from api.store.tables import Paper

WEB: Final = ("https://", "http://")
EXAMPLE_MARKDOWN: Final = "# A title\n\nAda Lovelace, Alan Turing\n\n## Abstract\n\nWhat the paper says.\n"


def markdown_of(paper: Paper, *, votes: int) -> str:
    """Return title, authors, facts, summaries and links of a paper as markdown that begins with its title."""
    parts = [f"# {paper.title}"]
    if paper.authors:
        parts.append(", ".join(paper.authors))
    elif paper.num_authors:
        parts.append(f"{paper.num_authors} authors")
    lines = [*facts_of(paper, votes=votes), *links_of(paper)]
    parts.append("\n".join(f"* {name}: {value}" for name, value in lines))
    if paper.withdrawn_at is not None:
        parts.append("**This paper was withdrawn by its authors.**")
    if paper.ai_summary:
        parts.append(f"## Summary\n\n{paper.ai_summary}")
    if paper.summary:
        parts.append(f"## Abstract\n\n{paper.summary}")
    return "\n\n".join(parts) + "\n"


def facts_of(paper: Paper, *, votes: int) -> list[tuple[str, str]]:
    """Return what is known of a paper, each with its name."""
    organization = paper.organization or {}
    day, listed = paper.published_at, paper.daily_at
    found = {
        "Id": paper.external_id,
        "Published": f"{day:%Y-%m-%d}" if day else None,
        "Daily list": f"{listed:%Y-%m-%d}" if listed else None,
        "Submitted by": paper.submitted_by,
        "Organisation": organization.get("fullname") or organization.get("name"),
        "Categories": ", ".join(paper.categories),
        "Keywords": ", ".join(paper.keywords),
        "Upvotes": str(votes) if votes else None,
    }
    return [(name, value) for name, value in found.items() if value]


def links_of(paper: Paper) -> list[tuple[str, str]]:
    """Return the addresses that belong to a paper; what is no web address is none."""
    found = {"arXiv": arxiv_page(paper), "Project": paper.project_page, "Code": paper.github_repo}
    return [(name, address) for name, address in found.items() if address and address.startswith(WEB)]
