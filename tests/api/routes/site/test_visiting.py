"""Who visits, whose forms are taken, and where a redirect may lead."""

import re
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.routes.site import forms
from api.routes.site.notices import COOKIE as TOLD
from api.routes.site.notices import NOTICES, Notice, read_notice
from api.routes.site.visiting import LONGEST_PATH, local_path, see_other
from api.routes.visitors import COOKIE
from api.runtime.state import Runtime
from api.settings import Settings
from api.store.tables import User
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.conftest import ORIGIN, hidden_fields, press
from tests.api.routes.site.pages import HTML

FROM_ELSEWHERE = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://["},
    {"host": "evil.example:8000", "origin": "http://127.0.0.1:8000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
]
# What decodes to no text at all, to half a surrogate, or in a time that grows with the square of its length.
CHARSETS_OF_NO_PAGE = ("undefined", "utf-7", '"raw_unicode_escape"', "punycode")
NOT_AT_THIS_MACHINE = [
    {"x-forwarded-for": "127.0.0.1"},
    {"x-forwarded-proto": "https"},
    {"forwarded": "for=127.0.0.1"},
    {"host": "127.0.0.1.evil.example", "origin": "http://127.0.0.1.evil.example"},
    {"host": "", "origin": ""},
    {"host": "[::1", "origin": ""},
    {"origin": "https://127.0.0.1:8000"},
]


@pytest.fixture
def stranger(embedded: Settings) -> Iterator[TestClient]:
    """Return a browser on another machine."""
    app = create_app(embedded)
    with TestClient(app, client=("192.0.2.7", 5000), base_url="http://papers.example", headers=dict(HTML)) as browser:
        yield browser


def names_in(runtime: Runtime) -> set[str]:
    """Return the readers who have done something, but for those of the planted world."""
    with runtime.db.read() as session:
        return {user.external_id for user in session.query(User) if not re.fullmatch(r"u\d+", user.external_id)}


def test_a_first_visit_gets_a_cookie_and_leaves_no_row(local: TestClient, runtime_of_local: Runtime) -> None:
    before = count_rows(runtime_of_local.db, User)
    first, again = local.get("/"), local.get("/")
    assert COOKIE in first.cookies
    assert first.headers["set-cookie"].count("HttpOnly") == 2  # whose it is, and when it was here
    assert "set-cookie" not in again.headers
    assert count_rows(runtime_of_local.db, User) == before


@pytest.mark.parametrize("path", ["/", "/for-you", "/papers/trending", "/nowhere"])
def test_a_page_is_kept_by_nobody_else(local: TestClient, runtime_of_local: Runtime, path: str) -> None:
    answer = local.get(path)
    assert "no-store" in answer.headers["cache-control"]
    assert "Accept" in answer.headers["vary"]


def test_two_visitors_never_share_a_form(local: TestClient, runtime_of_local: Runtime) -> None:
    theirs = hidden_fields(local.get("/").text)
    local.cookies.clear()
    mine = hidden_fields(local.get("/").text)
    assert theirs["csrf"] != mine["csrf"]
    fields = {**mine, "csrf": theirs["csrf"], "save": "p1000"}
    assert local.post("/act", data=fields, headers=ORIGIN).status_code == 403
    assert names_in(runtime_of_local) == set()


@pytest.mark.parametrize("headers", FROM_ELSEWHERE)
def test_a_form_from_elsewhere_changes_nothing(
    local: TestClient, runtime_of_local: Runtime, headers: dict[str, str]
) -> None:
    for page in ("/", "/?reader=newcomer"):
        answer = press(local, "save", "p1000", page=page, **headers)
        assert answer.status_code == 403, page
    assert names_in(runtime_of_local) == set()


@pytest.mark.parametrize("headers", NOT_AT_THIS_MACHINE)
def test_nobody_acts_for_a_picked_reader_from_elsewhere(
    local: TestClient, runtime_of_local: Runtime, headers: dict[str, str]
) -> None:
    answer = press(local, "save", "p1000", page="/?reader=newcomer", **headers)
    assert answer.status_code == 403
    assert names_in(runtime_of_local) == set()


def test_a_picked_readers_form_needs_to_say_where_it_comes_from(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {**hidden_fields(local.get("/?reader=newcomer").text), "save": "p1000"}
    assert local.post("/act", data=fields, follow_redirects=False).status_code == 403
    told = {"referer": "http://127.0.0.1:8000/?reader=newcomer"}
    assert local.post("/act", data=fields, headers=told, follow_redirects=False).status_code == 303
    assert names_in(runtime_of_local) == {"newcomer"}


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "localhost"])
def test_every_name_of_this_machine_is_accepted(local: TestClient, runtime_of_local: Runtime, host: str) -> None:
    answer = press(local, "save", "p1000", page="/?reader=newcomer", host=host, origin=f"http://{host}")
    assert answer.status_code == 303
    assert names_in(runtime_of_local) == {"newcomer"}


def test_somebody_on_another_machine_picks_nobody(stranger: TestClient) -> None:
    page = stranger.get("/?reader=u1").text
    assert 'id="pick"' not in page
    assert 'name="reader"' not in page
    fields = {**hidden_fields(page), "reader": "u1", "save": "gone"}
    answer = stranger.post("/act", data=fields, headers={"origin": "http://papers.example"}, follow_redirects=False)
    assert answer.headers["location"] == "/"  # taken as their own visit's, whatever the field says
    runtime = stranger.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
    assert names_in(runtime) == set()


def test_outside_the_embedded_mode_nobody_is_picked(client: TestClient, papers: list[str]) -> None:
    page = client.get("/?reader=ada", headers={"host": "127.0.0.1:8000", **HTML}).text
    assert 'id="pick"' not in page
    assert 'name="reader"' not in page


@pytest.mark.parametrize("reader", ["x" * 201, "\x00", "a\nb"])
def test_a_name_that_no_reader_can_have_is_told_in_words(
    local: TestClient, runtime_of_local: Runtime, reader: str
) -> None:
    answer = local.get("/", params={"reader": reader})
    assert answer.status_code == 422
    assert "printable characters" in answer.text


def test_readers_known_by_a_cookie_alone_are_not_offered_for_picking(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    press(local, "save", "p1000")
    press(local, "save", "p1000", page="/?reader=newcomer")
    runtime_of_local.conditions.look()
    page = local.get("/").text
    assert '<option value="newcomer">' in page
    assert "anon:" not in page


def test_a_page_may_lie_open_for_weeks_but_not_for_ever(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {**hidden_fields(local.get("/").text), "save": "p1000"}
    days = time.time() / forms.DAY_SECONDS
    for later, status in ((forms.FORM_DAYS, 303), (forms.FORM_DAYS + 2, 403)):
        with patch("time.time", return_value=(days + later) * forms.DAY_SECONDS):
            answer = local.post("/act", data=fields, headers=ORIGIN, follow_redirects=False)
        assert (later, answer.status_code) == (later, status)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=%ff", forms.URL_ENCODED, 422),
        (b"&".join(b"a=b" for _ in range(forms.MOST_FIELDS + 1)), forms.URL_ENCODED, 422),
        (b"a=%00", forms.URL_ENCODED, 422),
        (b"a=" + b"x" * forms.MOST_FORM_BYTES, forms.URL_ENCODED, 413),
        (b"nothing", f"{forms.MULTIPART}; boundary=x", 422),
        (b"nothing", forms.MULTIPART, 422),
        (b"a=b", f"{forms.URL_ENCODED}; charset=utf-16", 415),
        *((b"nothing", f"{forms.MULTIPART}; boundary=x; charset={name}", 415) for name in CHARSETS_OF_NO_PAGE),
        (b"{}", "application/json", 415),
        (b"a=b", "text/plain", 415),
        (b"", "", 415),
    ],
)
def test_a_body_that_is_no_form_is_refused_in_words(
    local: TestClient, runtime_of_local: Runtime, body: bytes, kind: str, status: int
) -> None:
    answer = local.post("/act", content=body, headers={**ORIGIN, "content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "<h1>" in answer.text


def test_a_form_in_parts_is_read_as_any_other(local: TestClient, runtime_of_local: Runtime) -> None:
    fields = {**hidden_fields(local.get("/").text), "save": "p1000"}
    files = {"list": ("list.bib", b"@article{a}", "text/plain")}
    assert local.post("/act", data=fields, files=files, headers=ORIGIN, follow_redirects=False).status_code == 303


def test_a_form_that_takes_minutes_to_decode_is_not_decoded(local: TestClient, runtime_of_local: Runtime) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a-"\r\n\r\n-' + b"a" * 200_000 + b"\r\n--x--\r\n"
    kind = f'{forms.MULTIPART}; boundary=x; charset="punycode"'
    started = time.process_time()
    assert local.post("/act", content=part, headers={**ORIGIN, "content-type": kind}).status_code == 415
    assert time.process_time() - started < 1.0


def test_a_form_in_parts_may_say_that_it_is_in_utf_8(local: TestClient, runtime_of_local: Runtime) -> None:
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    fields = {**hidden_fields(local.get("/").text), "save": "p1000"}
    body = "".join(f"--x\r\n{part.format(name, value)}" for name, value in fields.items()) + "--x--\r\n"
    kind = f"{forms.MULTIPART}; boundary=x; charset=UTF-8"
    answer = local.post("/act", content=body.encode(), headers={**ORIGIN, "content-type": kind}, follow_redirects=False)
    assert answer.status_code == 303


LOCAL_PATHS = ["/", "/for-you", "/search?q=a%20b&sort=newest", "/papers/hep-th/9901001#comments", "/?a=//b"]
ELSEWHERE = [
    "",
    "for-you",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/a\nb",
    "/a b",
    "/\u00e9",
    "/" + "a" * LONGEST_PATH,
]


@pytest.mark.parametrize("path", LOCAL_PATHS)
def test_addresses_of_this_service_stay_as_they_are(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize("path", ELSEWHERE)
def test_addresses_of_others_lead_to_the_first_page(path: str) -> None:
    assert local_path(path) == "/"
    assert see_other(path).headers["location"] == "/"


@given(st.text())
def test_whatever_is_given_a_redirect_stays_here(text: str) -> None:
    path = local_path(f"/{text}")
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    see_other(f"/{text}").headers["location"].encode("latin-1")


def test_only_words_from_the_list_are_told() -> None:
    cookie = see_other("/", told="save", paper="hep-th/9901001").headers["set-cookie"].partition(";")[0]
    notice = read_notice(Request({"type": "http", "headers": [(b"cookie", cookie.encode())]}))
    assert notice == Notice("save", NOTICES["save"], undo="unsave", paper="hep-th/9901001")
    with pytest.raises(ValueError, match="no notice is called"):
        see_other("/", told="pay me")


@pytest.mark.parametrize(
    ("paper", "is_undone"), [("文" * 200, True), (f"https://arxiv.org/abs/2401.00001?{'x' * 3_000}", False)]
)
def test_a_long_id_is_told_about_with_an_undo_where_a_cookie_has_room(paper: str, is_undone: bool) -> None:
    cookie = see_other("/", told="save", paper=paper).headers["set-cookie"].partition(";")[0]
    assert len(cookie) < 4_000
    notice = read_notice(Request({"type": "http", "headers": [(b"cookie", cookie.encode())]}))
    assert notice is not None
    assert (notice.text, notice.paper) == (NOTICES["save"], paper if is_undone else None)


@pytest.mark.parametrize("told", ["pay me", "save<b>", "SAVE", "save.1", "save/<script>", "x" * 3_000, NOTICES["save"]])
def test_a_cookie_cannot_put_words_of_its_own_on_a_page(
    local: TestClient, runtime_of_local: Runtime, told: str
) -> None:
    page = local.get("/", headers={"cookie": f"{TOLD}={told}"}).text
    assert 'class="told' not in page
    assert "<script>" not in page


def test_an_address_cannot_put_words_of_its_own_on_a_page(local: TestClient, runtime_of_local: Runtime) -> None:
    assert "pay me" not in local.get("/?told=pay%20me&paper=p1000").text
