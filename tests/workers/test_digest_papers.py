"""The papers of a digest: the feed's ranking, with slates, as previewed, and none that is saved or dismissed."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services import digest_making, digests
from api.services.digest_asking import subscribe_address
from api.services.digest_times import DAILY, Schedule, next_occasion
from api.services.feed_reading import build_for_reader
from api.services.slates import open_slate
from api.store.tables_mails import Digest
from recommender.domain import EventKind
from tests.api.feed_world import add_event, planted
from tests.mail_world import digest_in, mails_in
from tests.workers.issues import READER, links_in, papers_in, subscribe
from workers.digests import make_digests

HOUR = timedelta(hours=1)


def test_a_digest_has_the_new_papers_in_the_order_of_the_feed(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    assert make_digests() == 1
    (mail,) = mails_in(held.db)
    with held.db.read() as session:
        feed = build_for_reader(session, held.serving.current or held.serving.poll(), READER, now=datetime.now(UTC))
    hidden = set(feed.hidden)
    expected = [paper_id for paper_id in feed.paper_ids if paper_id in set(fresh) and paper_id not in hidden]
    assert papers_in(held, mail) == expected[:10]
    liked = planted().topic_of_paper[[list(planted().texts.paper_ids).index(at) for at in papers_in(held, mail)]]
    assert (liked == liked[0]).mean() > 0.5  # it is a personal one


def test_every_link_carries_the_slate_of_its_reader_and_its_place(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    make_digests()
    (mail,) = mails_in(held.db)
    queries = [parse_qs(urlsplit(link).query) for link in links_in(mail)]
    assert [query["position"] for query in queries] == [[str(at)] for at in range(1, 11)]
    slate = open_slate(held.keys, queries[0]["slate"][0], now=datetime.now(UTC), days=30)
    assert not isinstance(slate, str)
    assert (slate.user_id, list(slate.papers)) == (READER, papers_in(held, mail))
    assert [slate.papers[at].position for at in slate.papers] == list(range(1, 11))


def test_both_forms_say_the_same_papers_and_how_to_end_it(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    make_digests()
    (mail,) = mails_in(held.db)
    hrefs = [link.replace("&amp;", "&") for link in re.findall(r'href="(http://[^"]+/papers/[^"]+)"', mail.html)]
    assert hrefs == links_in(mail)
    stop = str(mail.headers["List-Unsubscribe"]).strip("<>")
    assert stop in mail.text
    assert stop in mail.html
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_saved_and_dismissed_papers_are_left_out(held: Runtime, fresh: list[int]) -> None:
    subscribe(held)
    digest = digest_in(held.db)
    with held.db.read() as session:
        preview = digest_making.preview_issue(
            session, held.serving.poll(), held.keys, held.settings, digest, now=datetime.now(UTC)
        )
    names = [urlsplit(item.url).path.removeprefix("/papers/") for item in preview.items]
    gone = [int(name.removeprefix("p")) for name in names[:2]]
    add_event(held.db, READER, gone[0], EventKind.DISMISS, number=9001)
    add_event(held.db, READER, gone[1], EventKind.SAVE, number=9002)
    make_digests()
    assert not set(gone) & set(papers_in(held, mails_in(held.db)[0]))


def test_the_preview_is_what_is_sent(held: Runtime, fresh: list[int]) -> None:
    held.settings.__dict__["swap_probability"] = 0.5
    held.settings.__dict__["exploration_share"] = 0.3
    subscribe(held)
    with held.db.write() as session:
        session.execute(sa.update(Digest).values(due_at=datetime.now(UTC) + HOUR))
    with held.db.read() as session:
        digest = session.scalars(sa.select(Digest)).one()
        served, now = held.serving.poll(), datetime.now(UTC)
        shown = digest_making.preview_issue(session, served, held.keys, held.settings, digest, now=now)
    draft_day = next_occasion(digests.schedule_of(digest), after=now, last_day=None)
    with held.db.read() as session:
        due = session.scalars(sa.select(Digest)).one()
        due.due_at = draft_day.at
        draft = digest_making.draft_issue(
            session, served, held.keys, held.settings, due, now=draft_day.at + timedelta(seconds=1)
        )
        sent = [paper.title for paper in draft.issue.papers]
        session.rollback()
    assert [item.title for item in shown.items] == sent


def test_trending_papers_for_an_address_without_a_reader(held: Runtime, fresh: list[int]) -> None:
    for number, paper_id in enumerate(fresh[:3]):
        for user_id in range(2, 6):
            add_event(held.db, user_id, paper_id, EventKind.UPVOTE, number=9100 + number)
    from api.services.trending import forget_boards

    forget_boards()
    now = datetime.now(UTC)
    with held.db.write() as session:
        schedule = Schedule(DAILY, 0, now.hour, "UTC")
        asked = subscribe_address(session, held.settings, address="eve@example.org", schedule=schedule, now=now)
        session.execute(sa.update(Digest).values(due_at=now, confirmed_at=now))
    assert make_digests() == 1
    issue = next(mail for mail in mails_in(held.db) if mail.kind == "digest")
    assert set(fresh[:3]) <= set(papers_in(held, issue))
    slate = open_slate(held.keys, parse_qs(urlsplit(links_in(issue)[0]).query)["slate"][0], now=now + HOUR, days=30)
    assert not isinstance(slate, str)
    assert (slate.user_id, slate.version) == (0, "")  # nobody's: what is opened teaches no reader's model
    assert asked.digest.user_id is None
