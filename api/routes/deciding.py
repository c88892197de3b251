"""After a decision about lists is committed: no list that was prepared before it is shown again."""

from api.runtime.state import Runtime
from api.services.deciding import Decided


def follow_decision(runtime: Runtime, external_user: str, decided: Decided) -> None:
    """Let the reader's very next list obey, and have it rebuilt."""
    runtime.access.note_user_id(external_user, decided.user_id)
    if not runtime.feeds.note_decided(decided.user_id, seq=decided.seq):
        runtime.async_feeds.distrust([decided.user_id])
    runtime.hints.refresh(decided.user_id, is_active=True)


def follow_interests(runtime: Runtime, external_user: str, user_id: int) -> None:
    """Let the reader's very next list know what they say they like."""
    runtime.access.note_user_id(external_user, user_id)
    runtime.feeds.drop_list(user_id)
    runtime.hints.refresh(user_id, is_active=True)
