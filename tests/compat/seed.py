"""Papers of a small installation: daily lists of a few days, and some that were in none."""

from datetime import UTC, datetime, timedelta
from typing import Final

from api.sources.records import Organization, PaperRecord

FIRST_DAY: Final = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday: the first of ISO week 10
DAYS: Final = 10
A_DAY: Final = 12
FULL_ID: Final = "2603.00001"  # has everything a paper can have
BARE_ID: Final = "2601.00090"  # has a title and a day of publication alone, and was in no daily list
OLD_ID: Final = "cs/0601001"
TOPICS: Final = ("graph", "speech", "protein", "robot")
SUBMITTERS: Final = ("grace", "alan", "noor")


def daily_papers() -> list[PaperRecord]:
    """Return the papers of the daily lists, the first with all fields."""
    return [_daily(number) for number in range(DAYS * A_DAY)]


def other_papers() -> list[PaperRecord]:
    """Return papers that were in no daily list."""
    published = FIRST_DAY - timedelta(days=60)
    return [
        PaperRecord(title="A bare note", source="arxiv", external_id=BARE_ID, published_at=published),
        PaperRecord(
            title="An old paper with a slash",
            source="arxiv",
            external_id=OLD_ID,
            summary="From before ids had a point.",
            authors=("Hedy Lamarr",),
            categories=("cs.DS",),
            published_at=datetime(2006, 1, 3, 12, tzinfo=UTC),
        ),
    ]


def id_of(number: int) -> str:
    """Return the id of a daily paper."""
    return f"2603.{number + 1:05}"


def upvotes_of(number: int) -> int:
    """Return a count that differs from paper to paper of a day, in no order that the list has otherwise."""
    return (number * 7) % 53


def day_of(number: int) -> datetime:
    """Return the day of the list that a paper was in."""
    return FIRST_DAY + timedelta(days=number // A_DAY)


def _daily(number: int) -> PaperRecord:
    topic = TOPICS[number % len(TOPICS)]
    is_full = number == 0
    return PaperRecord(
        title=f"Paper {number + 1} on {topic} models",
        source="huggingface",
        external_id=id_of(number),
        summary=f"We study {topic} models in setting {number + 1}.",
        authors=("Ada Lovelace", f"Author {number + 1}"),
        categories=("cs.LG",),
        keywords=(topic, "benchmark") if is_full else (),
        organization=Organization("example-lab", "Example Lab") if is_full else None,
        published_at=day_of(number) - timedelta(days=1, minutes=number),
        daily_at=day_of(number) + timedelta(minutes=number % A_DAY),
        submitted_by=SUBMITTERS[number % len(SUBMITTERS)],
        upvotes=upvotes_of(number),
        num_comments=3 if is_full else None,
        project_page="https://example.org/paper" if is_full else None,
        github_repo="https://github.com/example/paper" if is_full else None,
        github_stars=321 if is_full else None,
        ai_summary="One sentence that says it all." if is_full else None,
    )
