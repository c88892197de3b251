"""The daily page as browsers ask for it, against a plain route that answers the same bytes."""

import json
import re
import urllib.request
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import sqlalchemy as sa

from api.store.engine import Database
from api.store.tables import Paper
from tests.benchmarks.service.bare_pages import PAGE
from tests.benchmarks.service.harness import Bench, Row, Target, bare_server, race
from tests.benchmarks.service.hub import LIMITS
from tests.benchmarks.service.world import Service, World, make_world, running
from tests.shared import free_port

AT_LEAST: Final = 0.5
VISITORS: Final = 200  # browsers with a cookie each
HTML: Final = "text/html,application/xhtml+xml,*/*;q=0.8"
FEWEST: Final = 20  # papers of the page
OF_TODAY: Final = 40  # papers of the day's list
_PAPER: Final = re.compile(r'data-paper="([^"]+)"')
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_SCRIPT: Final = """
local requests, at = {}, 0
init = function(args)
  for _, cookie in ipairs({COOKIES}) do
    local headers = {["Accept"] = "ACCEPT"}
    if cookie ~= "" then headers["Cookie"] = cookie end
    table.insert(requests, wrk.format("GET", "/", headers))
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def measure(bench: Bench) -> list[Row]:
    """First visits, visits of browsers that have only looked so far, and of readers who saved papers of the page."""
    world = make_world(bench.folder / "pages")
    _list_today(world)
    with running(world, settings=LIMITS) as service:
        page = bench.folder / "page.html"
        page.write_bytes(_look(service, "")[0])
        if len(set(_PAPER.findall(page.read_text(encoding="utf-8")))) < FEWEST:
            raise RuntimeError("the daily page has fewer papers than were asked for")
        guests = [_look(service, "")[1] for _ in range(VISITORS)]
        readers = [_become_reader(service) for _ in range(VISITORS)]
        kinds = (("first visits", [""], True), ("guests", guests, False), ("readers with saves", readers, False))
        app = "tests.benchmarks.service.bare_pages:pages"
        with bare_server(app, port=free_port(), folder=bench.folder, settings={PAGE: str(page)}) as bare:
            return [
                _row(service, bare, name, cookies, page=page, bench=bench, is_promised=is_promised)
                for name, cookies, is_promised in kinds
            ]


def _row(
    service: Service, bare: str, visitors: str, cookies: list[str], *, page: Path, bench: Bench, is_promised: bool
) -> Row:
    script = _SCRIPT.replace("COOKIES", ",".join(map(json.dumps, cookies))).replace("ACCEPT", HTML)
    found = race(Target("ours", service.url, script), Target("plain route", bare, script), bench)
    return Row(
        what=f"daily page of {FEWEST} papers, {page.stat().st_size / 1000:.0f} kB: {visitors}",
        against="plain FastAPI route that answers the same bytes",
        at_least=str(AT_LEAST) if is_promised else "",
        is_met=found.ratio >= AT_LEAST and not found.ours.errors if is_promised else None,
        value=found.ratio,
        ours=found.ours,
        theirs=found.theirs,
        note=f"p99 {found.p99_ratio:.2f} of theirs",
    )


def _list_today(world: World) -> None:
    """Put the newest papers into the daily list of today."""
    database = Database(world.settings.resolved_database_url)
    newest = sa.select(Paper.paper_id).order_by(Paper.listed_at.desc()).limit(OF_TODAY)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with database.write() as session:
        wanted = list(session.scalars(newest))
        session.execute(sa.update(Paper).where(Paper.paper_id.in_(wanted)).values(daily_at=today, upvotes=7))
    database.engine.dispose()


def _look(service: Service, cookies: str) -> tuple[bytes, str]:
    """Load the page; return it with the cookies that the browser has then."""
    request = urllib.request.Request(service.url + "/", headers={"Accept": HTML, "Cookie": cookies})
    with urllib.request.urlopen(request) as answer:
        given = [value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie") or ()]
        return answer.read(), "; ".join([*filter(None, [cookies]), *given])


def _become_reader(service: Service) -> str:
    """Save the first paper of the page; return the cookies of the browser."""
    body, cookies = _look(service, "")
    text = body.decode()
    paper, csrf = _PAPER.findall(text)[0], unescape(_CSRF.findall(text)[0])
    form = urlencode({"csrf": csrf, "kind": "save", "paper": paper, "back": "/"}).encode()
    headers = {"Cookie": cookies, "Origin": service.url, "Accept": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(service.url + "/act", form, headers)) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the paper was not saved: {answer.read()!r}")
    return cookies
