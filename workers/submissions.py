"""The task that lists papers which readers submitted and which have come since."""

import logging
from datetime import UTC, datetime

from api.queue import LIST_SUBMITTED
from api.services import submitting
from workers.app import task
from workers.processes import runtime

log = logging.getLogger(__name__)


@task(LIST_SUBMITTED, time_limit=60)
def list_submitted() -> int:
    """Put submitted papers that have come into today's list and return how many there were."""
    with runtime().db.write() as session:
        listed = submitting.list_arrived(session, now=datetime.now(UTC))
    if listed:
        log.info("submitted papers listed", extra={"papers": listed})
    return listed
