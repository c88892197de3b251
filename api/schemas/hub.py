"""Papers as the clients of Hugging Face's papers API read them."""

import hashlib
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

Json: TypeAlias = dict[str, Any]

ID_BYTES: Final = 12  # 24 hexadecimal digits, as clients know object ids
AVATAR: Final = "/static/icon.svg"
LINKED: Final = ("Models", "Datasets", "Spaces")

EXAMPLE_RECORD: Final[Json] = {
    "id": "2401.01234",
    "title": "A title",
    "summary": "What the paper says in one paragraph.",
    "authors": [{"_id": "5f2c8a9e1b3d4c5e6f708192", "name": "Ada Lovelace", "hidden": False}],
    "publishedAt": "2024-01-03T18:00:00.000Z",
    "submittedOnDailyAt": "2024-01-04T00:00:00.000Z",
    "submittedOnDailyBy": {
        "_id": "0a1b2c3d4e5f60718293a4b5",
        "user": "ada",
        "name": "ada",
        "fullname": "ada",
        "avatarUrl": AVATAR,
        "type": "user",
    },
    "upvotes": 12,
    "discussionId": "90ab12cd34ef56ab78cd90ef",
}
EXAMPLE_ITEM: Final[Json] = {
    "paper": EXAMPLE_RECORD,
    "publishedAt": "2024-01-04T00:00:00.000Z",
    "title": "A title",
    "summary": "What the paper says in one paragraph.",
    "thumbnail": None,
    "numComments": 3,
    "submittedBy": EXAMPLE_RECORD["submittedOnDailyBy"],
    "isAuthorParticipating": False,
    "upvotes": 12,
}
# Clients read these of an item and not of the paper in it.
_REPEATED: Final = (
    *("title", "summary", "upvotes", "ai_summary", "ai_keywords"),
    *("githubRepo", "githubStars", "projectPage", "organization"),
)


class HubRow(Protocol):
    """What is read of a stored paper."""

    external_id: Any
    title: Any
    summary: Any
    authors: Any
    keywords: Any
    organization: Any
    published_at: Any
    daily_at: Any
    listed_at: Any
    submitted_by: Any
    upvotes: Any
    num_comments: Any
    project_page: Any
    github_repo: Any
    github_stars: Any
    thumbnail: Any
    ai_summary: Any


def item_json(row: HubRow, *, upvotes: int, comments: int) -> Json:
    """Return a paper as an item of a list; `upvotes` and `comments` are those of this service's readers."""
    paper = paper_json(row, upvotes=upvotes)
    item: Json = {
        "paper": paper,
        "publishedAt": paper.get("submittedOnDailyAt") or hub_time(row.listed_at),
        **{name: paper[name] for name in _REPEATED if name in paper},
        "thumbnail": row.thumbnail,
        "numComments": row.num_comments + comments,
        "submittedBy": paper.get("submittedOnDailyBy"),
        "isAuthorParticipating": False,
    }
    if row.published_at is None:  # then clients take an item's own day for that of publication, and look here
        item["submittedOnDailyAt"] = item["publishedAt"]
    return item


def record_json(row: HubRow, *, upvotes: int, comments: int) -> Json:
    """Return a paper as a record of its own; nothing is linked to it here."""
    linked: Json = {f"linked{name}": [] for name in LINKED} | {f"numTotal{name}": 0 for name in LINKED}
    return {
        **paper_json(row, upvotes=upvotes),
        "thumbnail": row.thumbnail,
        "numComments": row.num_comments + comments,
        **linked,
    }


def paper_json(row: HubRow, *, upvotes: int) -> Json:
    """Return what an item and a record share; what is not known is left out."""
    name = row.external_id
    paper: Json = {
        "id": name,
        "title": row.title,
        "summary": row.summary,
        "authors": [
            {"_id": object_id("author", name, str(at)), "name": author, "hidden": False}
            for at, author in enumerate(row.authors)
        ],
        "publishedAt": None if row.published_at is None else hub_time(row.published_at),
        "upvotes": row.upvotes + upvotes,
        "discussionId": object_id("discussion", name),
    }
    known: Json = {
        "submittedOnDailyAt": None if row.daily_at is None else hub_time(row.daily_at),
        "submittedOnDailyBy": None if row.submitted_by is None else person_json(row.submitted_by),
        "projectPage": row.project_page,
        "githubRepo": row.github_repo,
        "githubStars": row.github_stars,
        "ai_summary": row.ai_summary,
        "ai_keywords": row.keywords or None,
        "organization": None if row.organization is None else _organization_json(row.organization),
    }
    return paper | {key: value for key, value in known.items() if value is not None}


def person_json(name: str, *, fullname: str | None = None) -> Json:
    """Return somebody who is known by a name."""
    return {
        "_id": object_id("user", name),
        "user": name,
        "name": name,
        "fullname": fullname or name,
        "avatarUrl": AVATAR,
        "type": "user",
    }


def repos_json() -> Json:
    """Return what is linked to a paper: models, data sets and spaces are not known here."""
    return {name.lower(): [] for name in LINKED} | {f"numTotal{name}": 0 for name in LINKED}


def hub_time(value: datetime) -> str:
    """Return a UTC time as clients parse it: milliseconds and a Z."""
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def object_id(*parts: str) -> str:
    """Return an id that is the same whenever the same thing is shown."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=ID_BYTES).hexdigest()


def _organization_json(organization: Json) -> Json:
    name = organization.get("name") or organization.get("fullname") or ""
    return {
        "_id": object_id("organization", name),
        "name": name,
        "fullname": organization.get("fullname") or name,
        "avatar": AVATAR,
        "avatarUrl": AVATAR,
    }
