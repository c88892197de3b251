"""What the forms of digests offer, and what they sent."""

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from api.errors import InvalidRequest
from api.routes.site.forms import Form
from api.services.digest_times import (
    DAILY,
    WEEKDAYS,
    Schedule,
    offered_zones,
    read_schedule,
)

USUAL: Final = Schedule(DAILY, 0, 7, "UTC")
HOURS: Final = tuple(range(24))


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in, with what was wrong with it."""

    address: str
    schedule: Schedule
    problem: str = ""
    field: str = ""  # that the problem is about


def read_times(form: Form) -> Schedule:
    """Return when a digest is to come; raises InvalidRequest."""
    return read_schedule(
        cadence=form.get("cadence"), weekday=form.get("weekday"), hour=form.get("hour"), zone=form.get("zone")
    )


def refill(form: Form, error: InvalidRequest) -> Filled:
    """Return a form that was refused, with what was right in it."""
    try:
        schedule = read_times(form)
    except InvalidRequest:
        schedule = USUAL
    return Filled(form.get("mail")[:254], schedule, error.detail, str(error.fields.get("field", "")))


def choices(filled: Filled) -> dict[str, object]:
    """Return what a form's template needs."""
    zones = offered_zones()
    known = zones if filled.schedule.zone in zones else (filled.schedule.zone, *zones)
    areas = [(area, tuple(names)) for area, names in groupby(known, key=lambda name: name.partition("/")[0])]
    return {"filled": filled, "weekdays": tuple(enumerate(WEEKDAYS)), "hours": HOURS, "areas": areas}
