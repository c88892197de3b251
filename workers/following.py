"""What follows the commit of events that a worker recorded: hidden papers, and lists that are to be built anew."""

import time
from collections.abc import Sequence

from api.runtime.state import Runtime
from api.schemas.events import BatchOutcome
from api.store.pending import Change, PendingReaders


def follow_commit(held: Runtime, outcomes: Sequence[BatchOutcome]) -> None:
    """Hide what was saved from its readers' lists and have those follow; hints only, the sweep is the guarantee."""
    hide: dict[int, set[int]] = {}
    changes: dict[int, Change] = {}
    for one in outcomes:
        if one.user_id is None:
            continue
        if one.hide:
            hide.setdefault(one.user_id, set()).update(one.hide)
        if one.latest is not None:
            changes[one.user_id] = Change(time.time(), is_active=True)
    if hide:
        held.feeds.change_hidden(hide, {})
    if changes:
        pending = PendingReaders(held.settings.resolved_broker_url)
        try:
            pending.add(changes)
        finally:
            pending.close()
