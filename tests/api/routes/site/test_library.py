"""The library's pages: what is shown, found, written and taken along."""

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from tests.api.routes.site.conftest import ORIGIN
from tests.api.routes.site.pages import csrf_of

PAPERS = ("p1000", "p1001", "p1002")


IMPORT = "/library/import"


@pytest.fixture(autouse=True)
def _installation(runtime_of_local: Runtime) -> None:
    """Have papers in it."""


def send(browser: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Send a form; return the status and where it leads, or what it says."""
    data = {"csrf": csrf_of(browser.get(IMPORT).text), "back": "/library", **fields}
    answer = browser.post(path, data=data, headers=ORIGIN, follow_redirects=False)
    return answer.status_code, answer.headers.get("location") or answer.text


def save(browser: TestClient, *papers: str) -> None:
    for one in papers:
        assert send(browser, "/act", kind="save", paper=one)[0] == 303


def shown(browser: TestClient, path: str = "/library") -> list[str]:
    """Return the papers on a page, in order."""
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-paper="([^"]+)"', answer.text)


def test_an_empty_library_says_how_papers_come_into_it(local: TestClient) -> None:
    page = local.get("/library").text
    assert "Nothing is saved yet" in page
    assert 'href="/library/import"' in page
    assert 'name="q" value' not in page


def test_saved_papers_stand_last_saved_first(local: TestClient) -> None:
    save(local, *PAPERS)
    assert shown(local) == ["p1002", "p1001", "p1000"]
    assert "3 saved papers" in local.get("/library").text


def test_tags_and_a_note_are_kept_shown_and_replaced(local: TestClient) -> None:
    save(local, "p1000")
    note = "Read <b>this</b>\r\nfirst"
    assert send(local, "/library/words", paper="p1000", tags="engines, To Read", note=note) == (303, "/library#p-p1000")
    page = local.get("/library").text
    assert '<span class="tag">engines</span> <span class="tag">To Read</span>' in page
    assert 'value="engines, To Read"' in page
    assert "Read &lt;b&gt;this&lt;/b&gt;\nfirst" in page
    assert "Tags and note are kept." in page
    send(local, "/library/words", paper="p1000", tags="", note="")
    page = local.get("/library").text
    assert "engines" not in page
    assert "this&lt;/b&gt;" not in page


def test_tags_that_find_no_room_are_told(local: TestClient) -> None:
    save(local, "p1000")
    send(local, "/library/words", paper="p1000", tags=f"fine, {'x' * 70}", note="")
    page = local.get("/library").text
    assert "tags that are too long or too many are left out: 1" in page
    assert '<span class="tag">fine</span>' in page


def test_a_note_that_is_too_long_is_refused_and_not_cut(local: TestClient) -> None:
    save(local, "p1000")
    status, words = send(local, "/library/words", paper="p1000", tags="", note="x" * 10_001)
    assert status == 422
    assert "10,000 characters" in words
    assert "xxxx" not in local.get("/library").text


def test_nothing_is_written_about_a_paper_that_is_not_saved(local: TestClient) -> None:
    status, words = send(local, "/library/words", paper="p1000", tags="a", note="b")
    assert status == 409
    assert "save it, then write about it" in words


def test_a_tag_shows_its_papers_alone_whatever_its_case(local: TestClient) -> None:
    save(local, *PAPERS)
    send(local, "/library/words", paper="p1001", tags="Engines", note="")
    assert shown(local, "/library?tag=engines") == ["p1001"]
    assert 'href="/library?tag=Engines" aria-current="true"' in local.get("/library?tag=engines").text


def test_a_search_looks_at_titles_tags_and_notes_with_all_words(local: TestClient) -> None:
    save(local, *PAPERS)
    send(local, "/library/words", paper="p1000", tags="éngines", note="Compare with the loom")
    send(local, "/library/words", paper="p1002", tags="", note="the loom alone")
    assert shown(local, "/library?q=ENGINES+loom") == ["p1000"]
    assert shown(local, "/library?q=loom") == ["p1002", "p1000"]
    page = local.get("/library?q=nowhere+to+be+found").text
    assert "No saved paper holds all of these words" in page


def test_pages_follow_each_other_without_gaps(local: TestClient) -> None:
    papers = [f"p{number}" for number in range(1000, 1030)]
    save(local, *papers)
    first = local.get("/library").text
    found = re.search(r'rel="next" href="([^"]+)"', first)
    assert found is not None
    pages = [*shown(local), *shown(local, unescape(found[1]))]
    assert pages == papers[::-1]


def test_a_place_of_another_list_leads_to_the_beginning_with_a_word(local: TestClient) -> None:
    save(local, *PAPERS)
    page = local.get("/library?cursor=nonsense").text
    assert "here is the beginning" in page
    assert 'id="p-p1000"' in page


def test_a_paper_that_is_no_longer_saved_is_gone_with_its_words_kept_for_the_next_time(local: TestClient) -> None:
    save(local, "p1000")
    send(local, "/library/words", paper="p1000", tags="a", note="b")
    send(local, "/act", kind="unsave", paper="p1000")
    assert shown(local) == []
    assert '<ul class="chips">' not in local.get("/library").text
    save(local, "p1000")
    assert '<span class="tag">a</span>' in local.get("/library").text


@pytest.mark.parametrize(
    ("ending", "kind", "mark"),
    [
        ("bib", "application/x-bibtex", "@"),
        ("ris", "application/x-research-info-systems", "TY  - "),
        ("csl.json", "application/vnd.citationstyles.csl+json", '"title"'),
        ("json", "application/json", '"paperfeed-library"'),
    ],
)
def test_the_library_is_a_file_in_each_format(local: TestClient, ending: str, kind: str, mark: str) -> None:
    save(local, *PAPERS)
    answer = local.get(f"/library/export.{ending}")
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["content-disposition"].endswith(f'.{ending}"')
    assert answer.headers["cache-control"] == "private, no-store"
    assert mark in answer.text
    assert all(name in answer.text for name in PAPERS)


def test_a_format_that_nobody_knows_is_not_found(local: TestClient) -> None:
    assert local.get("/library/export.ids").status_code == 404
    assert local.get("/library/export.exe").status_code == 404


def test_a_library_is_its_readers_alone(local: TestClient) -> None:
    save(local, "p1000")
    local.cookies.clear()
    assert "Nothing is saved yet" in local.get("/library").text
    assert "p1000" not in local.get("/library/export.json").text


def test_the_operator_reads_the_library_of_a_picked_reader(local: TestClient) -> None:
    page = local.get("/library?reader=u1").text
    assert "Library of u1" in page
    assert "reader=u1" in page


def test_a_form_of_another_site_changes_nothing(local: TestClient) -> None:
    save(local, "p1000")
    data = {"csrf": csrf_of(local.get(IMPORT).text), "paper": "p1000", "tags": "stolen", "note": ""}
    answer = local.post("/library/words", data=data, headers={"origin": "http://evil.test"}, follow_redirects=False)
    assert answer.status_code == 403
    assert "stolen" not in local.get("/library").text


@pytest.mark.parametrize("path", ["/library/words", "/library/zotero"])
def test_the_address_of_a_form_leads_to_its_page(local: TestClient, path: str) -> None:
    assert local.get(path, follow_redirects=False).status_code == 303


@pytest.mark.parametrize("path", ["/library", "/library/import", "/library/pending"])
def test_pages_need_no_inline_script_or_style(local: TestClient, path: str) -> None:
    save(local, *PAPERS)
    page = local.get(path).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page)
