"""When a digest is due: a pure function of a reader's clock, with its hours that are missing or come twice."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from api.errors import InvalidRequest
from api.store.tables_mails import LONGEST_ZONE

DAILY: Final = "daily"
WEEKLY: Final = "weekly"
CADENCES: Final = (DAILY, WEEKLY)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS_LOOKED_AT: Final = 16  # the next occasion is never further: a week that was dealt with, and the one after it
_AREAS: Final = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian")


@dataclass(frozen=True, slots=True)
class Schedule:
    """On which days and at which hour of whose clock."""

    cadence: str
    weekday: int  # 0 is Monday; of weekly digests
    hour: int
    zone: str  # IANA name


@dataclass(frozen=True, slots=True)
class Occasion:
    """A moment at which a digest is due, and the local day it is of: there is one on a day."""

    at: datetime
    day: date


def read_schedule(*, cadence: str, weekday: str, hour: str, zone: str) -> Schedule:
    """Return a schedule from the words of a form; raises InvalidRequest."""
    if cadence not in CADENCES:
        raise InvalidRequest("a digest comes daily or weekly", field="cadence")
    return Schedule(
        cadence,
        _number(weekday or "0", most=6, field="weekday"),
        _number(hour, most=23, field="hour"),
        read_zone(zone),
    )


def read_zone(name: str) -> str:
    """Return the name of a time zone that is known here; raises InvalidRequest."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_ZONE or name not in known_zones():
        raise InvalidRequest("this time zone is not known: choose one such as Europe/Berlin or UTC", field="zone")
    return name


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def offered_zones() -> tuple[str, ...]:
    """Return the zones that a form offers: one for each place, without the old spellings."""
    return ("UTC", *sorted(name for name in known_zones() if name.startswith(tuple(f"{area}/" for area in _AREAS))))


def next_occasion(schedule: Schedule, *, after: datetime, last_day: date | None) -> Occasion:
    """Return the first occasion after a moment whose period has had none: `last_day` is the last one's local day."""
    zone = _zone(schedule.zone)
    today = after.astimezone(zone).date()
    for ahead in range(-1, DAYS_LOOKED_AT):
        occasion = _occasion(schedule, zone, today + timedelta(days=ahead))
        if occasion is None or occasion.at <= after:
            continue
        if last_day is None or _is_later_period(schedule, occasion.day, last_day):
            return occasion
    return _far_occasion(schedule, zone, last_day or today)


def latest_occasion(schedule: Schedule, *, due_at: datetime, now: datetime) -> Occasion:
    """Return the last occasion up to now: after days of silence there is one to be dealt with, not seven.

    `due_at` stands for itself when the schedule has no occasion between it and now.
    """
    zone = _zone(schedule.zone)
    today = now.astimezone(zone).date()
    for back in range(-1, DAYS_LOOKED_AT):
        occasion = _occasion(schedule, zone, today - timedelta(days=back))
        if occasion is not None and due_at <= occasion.at <= now:
            return occasion
    return Occasion(due_at, due_at.astimezone(zone).date())


def tell_moment(at: datetime, zone: str) -> str:
    """Return a moment as a reader's clock shows it: Tuesday, 2026-05-05, 07:00 (Europe/Berlin)."""
    local = at.astimezone(_zone(zone))
    return f"{WEEKDAYS[local.weekday()]}, {local:%Y-%m-%d, %H:%M} ({zone})"


def period_of(schedule: Schedule, day: date) -> str:
    """Return the name of the period that a day's digest is for: there is one mail of each name."""
    if schedule.cadence == DAILY:
        return day.isoformat()
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def _occasion(schedule: Schedule, zone: ZoneInfo, day: date) -> Occasion | None:
    """The occasion of a local day, None on the days of a week that have none.

    An hour that is missing on this day gives the one after it, an hour that comes twice the first (PEP 495's fold 0).
    On a day that does not exist at all, as when a country changes sides of the date line, there is none.
    """
    if schedule.cadence == WEEKLY and day.weekday() != schedule.weekday:
        return None
    at = datetime.combine(day, time(schedule.hour), tzinfo=zone).astimezone(UTC)
    return Occasion(at, day) if at.astimezone(zone).date() == day else None


def _is_later_period(schedule: Schedule, day: date, last_day: date) -> bool:
    return day > last_day and period_of(schedule, day) != period_of(schedule, last_day)


def _far_occasion(schedule: Schedule, zone: ZoneInfo, last_day: date) -> Occasion:
    """After a day far ahead, such as one noted by a clock that was wrong."""
    for ahead in range(1, DAYS_LOOKED_AT):
        occasion = _occasion(schedule, zone, last_day + timedelta(days=ahead))
        if occasion is not None and _is_later_period(schedule, occasion.day, last_day):
            return occasion
    raise ValueError(f"no occasion within {DAYS_LOOKED_AT} days of {last_day}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # a name that this version of the time zones no longer has
        return ZoneInfo("UTC")


def _number(text: str, *, most: int, field: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) > most:
        raise InvalidRequest(f"a number from 0 to {most} is needed", field=field)
    return int(text)
