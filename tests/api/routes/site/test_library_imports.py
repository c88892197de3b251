"""Imports: files, pasted text and Zotero, with a report of every entry."""

import re

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.ids import title_key
from api.routes.site import library_imports
from api.runtime.state import Runtime
from api.store.tables import Event, Paper
from api.store.tables_shelf import LibraryImport, PaperFetch, WantedPaper
from tests.api.feed_world import planted
from tests.api.routes.site.conftest import ORIGIN
from tests.api.routes.site.pages import csrf_of
from tests.api.routes.site.test_library import IMPORT, save, send, shown

TITLE = planted().texts.titles[0]  # of p1000
BIBTEX = f"""
@article{{one, title = {{{TITLE}}}, keywords = {{engines, looms}}, annote = {{Read it}} }}
@misc{{two, title = {{Not here}}, eprint = {{2401.01234}}, archiveprefix = {{arXiv}}}}
@book{{three, title = {{A book}}, author = {{Lovelace, Ada}}}}
@misc{{four, year = 2024}}
@misc{{five, title = {{{TITLE}}}}}
"""


@pytest.fixture(autouse=True)
def runtime(runtime_of_local: Runtime) -> Runtime:
    """Return the service, which has papers."""
    with runtime_of_local.db.write() as session:  # the planted titles have no fingerprints
        for paper in session.scalars(sa.select(Paper).limit(5)):
            paper.title_key = title_key(paper.title)
    return runtime_of_local


def upload(browser: TestClient, data: bytes | str, *, form: str = "", name: str = "library.txt") -> str:
    """Import a file and return the address of its report."""
    content = data.encode() if isinstance(data, str) else data
    answer = browser.post(
        "/library/import",
        data={"csrf": csrf_of(browser.get(IMPORT).text), "format": form},
        files={"file": (name, content, "text/plain")},
        headers=ORIGIN,
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def count(runtime: Runtime, table: type[object]) -> int:
    with runtime.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_report_says_of_every_entry_what_became_of_it(local: TestClient, runtime: Runtime) -> None:
    report = upload(local, BIBTEX)
    page = local.get(report).text
    for words in ("1 saved", "1 saved before", "1 being fetched", "1 kept until they come", "1 not imported"):
        assert words in page
    assert "There is no title, arXiv id or DOI in it" in page
    assert "saved when a paper of this DOI or title comes" in local.get(f"{report}?fate=pending").text
    assert "To be fetched from arXiv" in local.get(f"{report}?fate=fetching").text
    assert 'href="/papers/p1000"' in local.get(f"{report}?fate=saved").text
    assert "The same paper as in line 2" in local.get(f"{report}?fate=there").text
    assert (count(runtime, WantedPaper), count(runtime, PaperFetch)) == (2, 1)


def test_what_is_here_is_saved_with_tags_and_note_and_what_is_not_is_shown_as_waited_for(local: TestClient) -> None:
    upload(local, BIBTEX)
    page = local.get("/library").text
    assert shown(local) == ["p1000"]
    assert '<span class="tag">engines</span> <span class="tag">looms</span>' in page
    assert "Read it" in page
    assert "2 more are waited for" in page
    pending = local.get("/library/pending").text
    assert "To be fetched from arXiv" in pending
    assert "A book" in pending
    assert "Ada Lovelace" in pending


def test_the_same_file_again_changes_nothing(local: TestClient, runtime: Runtime) -> None:
    upload(local, BIBTEX)
    before = (count(runtime, Event), count(runtime, WantedPaper))
    report = upload(local, BIBTEX)
    assert (count(runtime, Event), count(runtime, WantedPaper)) == before
    assert "0 saved</strong>, 2 saved before" in local.get(report).text


@pytest.mark.parametrize("ending", ["bib", "ris", "csl.json", "json"])
def test_what_is_taken_along_is_the_same_library_elsewhere(local: TestClient, runtime: Runtime, ending: str) -> None:
    upload(local, BIBTEX)
    save(local, "p1001", "p1002")
    send(local, "/library/words", paper="p1002", tags="ünusual, two words", note="$a_b$ {braces}\n\\end % 50 &")
    file = local.get(f"/library/export.{ending}").content
    pages = [page_of(local, path) for path in ("/library", "/library/pending")]
    local.cookies.clear()
    report = upload(local, file)
    assert "3 saved</strong>, 1 being fetched, 1 kept until they come" in local.get(report).text
    assert [page_of(local, path) for path in ("/library", "/library/pending")] == pages


def page_of(browser: TestClient, path: str) -> list[str]:
    """Return what a page says of papers, without what belongs to the visit."""
    page = browser.get(path).text
    page = re.sub(r'<strong id="w-\d+">', "<strong>", page)  # rows have numbers of their own
    return re.findall(r'data-paper="[^"]+"|<span class="tag">[^<]+|<p class="lines">[^<]*|<strong>[^<]+', page)


def test_a_pasted_list_of_ids_is_read_word_by_word(local: TestClient, runtime: Runtime) -> None:
    data = {
        "csrf": csrf_of(local.get(IMPORT).text),
        "text": "2401.01234v2\r\nhttps://arxiv.org/abs/hep-th/9901001, rubbish",
        "format": "",
    }
    answer = local.post("/library/import", data=data, headers=ORIGIN)  # as a browser without files sends it
    assert "2 being fetched" in answer.text
    assert "This is neither an arXiv id nor a DOI nor the address of a paper" in answer.text
    with runtime.db.read() as session:
        assert set(session.scalars(sa.select(PaperFetch.external_id))) == {"2401.01234", "hep-th/9901001"}


def test_a_form_without_anything_says_what_to_do(local: TestClient) -> None:
    for fields in ({}, {"text": " \r\n "}):
        answer = local.post("/library/import", data={"csrf": csrf_of(local.get(IMPORT).text), **fields}, headers=ORIGIN)
        assert answer.status_code == 422
        assert "Choose a file, or paste what is to be imported." in answer.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x01\x02\xff\xfe" * 500, "is neither an arXiv id"),
        (b'{"format": "paperfeed-library", "version": 99, "papers": []}', "version 99"),
        (b"[" * 100_000, "no JSON"),
        (b'[{"title": 5}, [], null]', "an entry is an object"),
        (b"TY  - JOUR\nTI  - Cut off", "saved when a paper"),
        ("@article{a, title={Größe}}".encode("utf-16"), "Größe"),
        ("@article{a, title={Größe}}".encode("latin-1"), "Größe"),
        (b"%PDF-1.7 \x00\x80", "neither an arXiv id"),
    ],
    ids=["bytes", "version", "deep", "shapes", "cut", "utf-16", "latin-1", "pdf"],
)
def test_a_file_that_is_odd_is_answered_in_words(local: TestClient, data: bytes, words: str) -> None:
    page = local.get(upload(local, data)).text
    assert words.lower() in page.lower()


def test_a_file_over_the_limit_is_refused_in_words(local: TestClient) -> None:
    answer = local.post(
        "/library/import",
        data={"csrf": csrf_of(local.get(IMPORT).text)},
        files={"file": ("big.bib", b" " * (library_imports.MOST_BYTES + 1), "text/plain")},
        headers=ORIGIN,
    )
    assert answer.status_code == 413
    assert "This is too large" in answer.text


def test_only_this_address_takes_large_bodies(local: TestClient) -> None:
    data = {"csrf": csrf_of(local.get(IMPORT).text), "paper": "p1000", "tags": "", "note": "x" * (1024 * 1024)}
    assert local.post("/library/words", data=data, headers=ORIGIN).status_code == 413


def test_the_report_of_one_reader_is_nobody_elses(local: TestClient) -> None:
    report = upload(local, BIBTEX)
    local.cookies.clear()
    assert local.get(report).status_code == 404
    assert local.get("/library/imports/nonsense").status_code == 404


def test_the_page_of_a_report_is_bounded(local: TestClient) -> None:
    report = upload(local, "\n".join(f"2401.{number:05}" for number in range(450)))
    pages = [local.get(f"{report}?p={number}").text for number in (1, 2, 3)]
    assert [page.count('<li class="card">') for page in pages] == [200, 200, 50]


def test_imports_of_before_are_listed_and_the_oldest_go(local: TestClient, runtime: Runtime) -> None:
    for number in range(12):
        upload(local, f"2401.{number:05}")
    page = local.get("/library/import").text
    assert page.count("/library/imports/") == 10
    assert count(runtime, LibraryImport) == 10


def test_a_reader_stops_waiting(local: TestClient, runtime: Runtime) -> None:
    upload(local, "2401.01234")
    found = re.search(r'name="forget" value="(\d+)"', local.get("/library/pending").text)
    assert found is not None
    assert send(local, "/library/pending", forget=found[1])[0] == 303
    assert "Nothing is waited for" in local.get("/library/pending").text
    assert count(runtime, WantedPaper) == 0
    assert send(local, "/library/pending", forget=found[1])[0] == 409


def test_a_library_of_zotero_waits_for_a_worker_and_its_key_is_shown_nowhere(
    local: TestClient, runtime: Runtime
) -> None:
    key = "aB3dE5gH7jK9mN1pQ3rS5tU7"
    status, report = send(local, "/library/zotero", key=key, group="")
    assert status == 303
    page = local.get(report).text
    assert "Your library is being read" in page
    assert key not in page + local.get("/library/import").text + local.get("/settings/data/export.json").text
    assert send(local, "/library/zotero", key=key)[0] == 422
    with runtime.db.read() as session:
        assert session.scalar(sa.select(LibraryImport.secret)) == key


@pytest.mark.parametrize(("key", "group"), [("", ""), ("short", ""), ("x" * 20 + "/../", ""), ("x" * 24, "abc")])
def test_a_key_or_a_group_that_is_none_is_refused_in_words(local: TestClient, key: str, group: str) -> None:
    status, page = send(local, "/library/zotero", key=key, group=group)
    assert status == 422
    assert 'id="zotero-problem"' in page


def test_an_import_from_another_site_changes_nothing(local: TestClient, runtime: Runtime) -> None:
    data = {"csrf": csrf_of(local.get(IMPORT).text), "text": "2401.01234"}
    answer = local.post("/library/import", data=data, headers={"origin": "http://evil.test"})
    assert answer.status_code == 403
    assert count(runtime, WantedPaper) == 0


def test_what_is_imported_is_in_the_log_that_the_model_learns_from(local: TestClient, runtime: Runtime) -> None:
    before = count(runtime, Event)
    upload(local, BIBTEX)
    assert count(runtime, Event) == before + 1
