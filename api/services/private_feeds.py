"""A reader's own feed as feed readers get it: the list as it is, with links that say where a click comes from."""

from collections.abc import Collection
from typing import Final

from sqlalchemy.orm import Session

from api.runtime.state import Runtime
from api.services.feed import NOBODY
from api.services.feed_channels import Found
from api.services.feed_items import make_item, paper_path
from api.services.feed_places import Page, open_list, turn
from api.services.muting import muted_paper_ids
from api.services.reasons import named_papers, tell
from api.services.slates import write_slate
from api.services.syndication import Channel
from api.store.daily import load_shown
from api.store.feed_addresses import FoundAddress
from api.store.feed_cache import CachedList
from recommender.slate_randomisation import Randomisation

MOST_ITEMS: Final = 30  # of a list that changes with each act of its reader


def private_channel(
    runtime: Runtime,
    session: Session,
    owner: FoundAddress,
    feed: CachedList,
    *,
    base: str,
    secret: str,
    slate_id: bytes,
    chance: Randomisation,
) -> Found:
    """Return the head of a reader's list; the same list under the same slate id is the same feed."""
    muted = muted_paper_ids(session, owner.user_id, feed.papers.paper_ids)
    page = _cut(feed, slate_id=slate_id, chance=chance, without=muted)
    papers = load_shown(session, page.paper_ids)
    page = page.without([paper_id for paper_id in page.paper_ids if paper_id not in papers])
    titles = {paper_id: named.title for paper_id, named in runtime.papers.load(named_papers(page.reasons)).items()}
    built_at = feed.papers.built_at
    slate = write_slate(
        runtime.keys, page, user_id=owner.user_id or NOBODY, variant=runtime.settings.variant, now=built_at
    )
    items = tuple(
        make_item(
            papers[paper_id],
            url=f"{base}{paper_path(papers[paper_id].external_id)}?slate={slate}&position={position}",
            reason=tell(reason, titles),
        )
        for position, (paper_id, reason) in enumerate(zip(page.paper_ids, page.reasons, strict=True), page.first_rank)
    )
    where = f"{base}/feeds/private/{secret}"
    title, words = "Papers for you", "Your own feed: whoever has its address can read it."
    channel_id = f"{base}/feeds/private/{owner.address_id}"
    return Found(Channel(channel_id, title, words, f"{base}/for-you", where, "", items), built_at)


def _cut(feed: CachedList, *, slate_id: bytes, chance: Randomisation, without: Collection[int]) -> Page:
    place = open_list(feed.papers, slate_id=slate_id, hidden=feed.hidden, randomisation=chance, has_tail=False)
    turned = turn(place, hidden=without, limit=MOST_ITEMS)
    if turned is None:
        raise AssertionError("a list without a tail always has a page")
    return turned.page
