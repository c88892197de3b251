"""What narrows a list, read from the query string."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from api.errors import InvalidRequest
from api.ids import normalised_id
from api.services.feed_places import Filters

MOST_CATEGORIES: Final = 20
LONGEST_CATEGORY: Final = 60  # characters, as wide as the column
MOST_EXCLUDED: Final = 500
MOST_ORGANIZATIONS: Final = 20
LONGEST_ORGANIZATION: Final = 200  # characters
ONE_DAY: Final = timedelta(days=1)
DAY_LENGTH: Final = len("2024-05-01")


def read_filters(category: list[str] | None, since: str | None) -> Filters:
    """Return the filters; raise InvalidRequest for what can be neither a category nor a time."""
    categories = tuple(dict.fromkeys(_parts(category)))
    if len(categories) > MOST_CATEGORIES:
        raise InvalidRequest(f"a list takes {MOST_CATEGORIES} categories at most", field="category")
    if any(len(name) > LONGEST_CATEGORY or not name.isprintable() for name in categories):
        raise InvalidRequest("a category has 1 to 60 printable characters, for example cs.LG", field="category")
    return Filters(categories, None if since is None else read_time(since, field="since"))


def read_organizations(organization: list[str] | None) -> tuple[str, ...]:
    """Return the names of organizations; raise InvalidRequest for too many of them or what can be none."""
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in organization or ()))))
    if len(names) > MOST_ORGANIZATIONS:
        raise InvalidRequest(f"a search takes {MOST_ORGANIZATIONS} organizations at most", field="organization")
    if any(len(name) > LONGEST_ORGANIZATION or not name.isprintable() for name in names):
        raise InvalidRequest("an organization has 1 to 200 printable characters", field="organization")
    return names


def read_time(text: str, *, field: str) -> datetime:
    """Return the beginning of a day, or a time; raise InvalidRequest for what is neither."""
    try:
        # A `+` that was not percent-encoded arrives as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"`{field}` is a day or an ISO 8601 time, for example 2024-05-01", field=field) from None


def read_days(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the first moment and the one after the last; a day is meant as a whole. Raises InvalidRequest."""
    first = None if start is None else read_time(start, field="from")
    last = None if end is None else read_time(end, field="to")
    if last is not None and end is not None and len(end.strip()) <= DAY_LENGTH:
        last = min(last, datetime.max.replace(tzinfo=UTC) - ONE_DAY) + ONE_DAY
    if first is not None and last is not None and first >= last:
        raise InvalidRequest("`from` is later than `to`: no paper is between them", field="from")
    return first, last


def read_exclusions(exclude: list[str] | None) -> list[str]:
    """Return the ids to leave out as they are stored; raise InvalidRequest for more than 500 or what can be no id."""
    names = list(dict.fromkeys(_parts(exclude)))
    if len(names) > MOST_EXCLUDED:
        raise InvalidRequest(f"`exclude` takes {MOST_EXCLUDED} papers at most", field="exclude")
    try:
        return [normalised_id(name) for name in names]
    except ValueError as error:
        raise InvalidRequest(f"`exclude` names a paper that cannot exist: {error}", field="exclude") from None


def _parts(values: Iterable[str] | None) -> list[str]:
    parts = (part.strip() for value in values or () for part in value.split(","))
    return [part for part in parts if part]
