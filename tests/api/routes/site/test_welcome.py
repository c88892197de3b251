"""The first visit: whatever a newcomer says, or nothing, the list that follows knows it at once."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site.judging import LONGEST_SKIPPED, Asking
from api.runtime.state import Runtime
from api.services.questions import QUESTIONS, forget_panels
from api.store.tables import Event, Paper, User
from api.store.tables_shelf import LibraryImport
from tests.api.feed_world import LONG_AGO, planted
from tests.api.routes.site.conftest import ORIGIN
from tests.api.routes.site.taste_pages import Fields, listed, of_topic, send, share_of, told


@pytest.fixture(autouse=True)
def _fresh_panels() -> Iterator[None]:
    """Let no panel of another test's model answer."""
    forget_panels()
    yield
    forget_panels()


@pytest.mark.usefixtures("runtime_of_local")
class TestWelcome:
    """The first visit."""

    def test_the_page_offers_the_categories_that_papers_have(self, local: TestClient) -> None:
        page = local.get("/welcome").text
        assert all(f'name="category" value="cs.T{topic}"' in page for topic in range(4))
        assert 'href="/for-you"' in page

    def test_a_category_makes_the_first_list_personal(self, local: TestClient) -> None:
        answer = send(local, "/welcome", {"category": "cs.T2"}, page="/welcome")
        assert (answer.status_code, answer.headers["location"]) == (303, "/for-you")
        assert share_of(listed(local), 2) >= 0.5

    def test_the_list_that_follows_a_category_says_which_one_was_chosen(self, local: TestClient) -> None:
        send(local, "/welcome", {"category": ["cs.T2", "cs.T3"]}, page="/welcome")
        page = local.get("/for-you").text
        assert "the newest papers in cs.T2, cs.T3, as you chose" in page
        assert "Too little is known" not in page

    def test_words_make_the_first_list_personal(self, local: TestClient) -> None:
        words = planted().texts.titles[int(of_topic(3)[0][1:]) - int(planted().texts.paper_ids[0])]
        send(local, "/welcome", {"terms": words}, page="/welcome")
        page = local.get("/for-you").text
        assert "Ranked for you" in page

    def test_pasted_ids_go_into_the_library_and_the_first_list_follows(
        self, local: TestClient, runtime_of_local: Runtime
    ) -> None:
        _rename(runtime_of_local, of_topic(1)[:4])
        pasted = "arXiv:2401.00000v2 https://arxiv.org/abs/2401.00001, 2401.00002\n2401.00003 2401.09999 nonsense"
        answer = send(local, "/welcome", {"papers": pasted, "next": "list"}, page="/welcome")
        assert answer.headers["location"] == "/for-you"
        page = local.get("/for-you").text
        assert "In your library: 4. To be fetched or waited for: 1. Not understood: 1.</p>" in page
        [report] = re.findall(r'href="(/library/imports/\d+)">What became of each entry</a>', page)
        assert "nonsense" in local.get(report).text
        assert share_of(listed(local), 1) > 0.5
        with runtime_of_local.db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(LibraryImport)) == 1  # the report stays

    def test_a_bibtex_file_does_the_same(self, local: TestClient, runtime_of_local: Runtime) -> None:
        _rename(runtime_of_local, of_topic(1)[:4])
        entries = [
            f"@article{{k{n}, title={{Any}}, eprint={{2401.0000{n}}}, archivePrefix={{arXiv}}}}" for n in range(4)
        ]
        file = ("mine.bib", "\n".join(entries).encode())
        answer = send(local, "/welcome", {"next": "judge"}, page="/welcome", files={"file": file})
        assert answer.headers["location"] == "/welcome/judge"
        assert share_of(listed(local), 1) > 0.5

    def test_ids_beside_an_entry_and_prose_are_not_dropped(self, local: TestClient, runtime_of_local: Runtime) -> None:
        _rename(runtime_of_local, of_topic(1)[:2])
        pasted = "2401.00001\n2999.12345 ...\nplease\n@article{a, title={Any}, eprint={2401.00000}}"
        send(local, "/welcome", {"papers": pasted}, page="/welcome")
        said = "In your library: 2. To be fetched or waited for: 1. Not understood: 1."
        assert told(local, "/for-you") == said

    def test_saying_nothing_leads_to_what_everybody_gets_and_keeps_nothing(
        self, local: TestClient, runtime_of_local: Runtime
    ) -> None:
        with runtime_of_local.db.read() as session:
            before = session.scalar(sa.select(sa.func.count()).select_from(User))
        answer = send(local, "/welcome", {"terms": " ", "papers": ""}, page="/welcome")
        assert answer.headers["location"] == "/for-you"
        assert len(listed(local)) > 10
        with runtime_of_local.db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(User)) == before

    def test_what_names_no_paper_is_told_and_all_that_was_typed_stays(self, local: TestClient) -> None:
        fields: Fields = {"papers": "<b>what?</b>", "terms": "my topic", "category": "cs.T1"}
        answer = send(local, "/welcome", fields, page="/welcome")
        assert answer.status_code == 422
        assert "No paper was found" in answer.text
        assert "my topic" in answer.text
        assert "&lt;b&gt;what?&lt;/b&gt;" in answer.text
        assert 'value="cs.T1" checked' in answer.text

    def test_a_form_from_elsewhere_is_refused(self, local: TestClient) -> None:
        local.get("/welcome")
        answer = local.post("/welcome", data={"category": "cs.T2"}, headers=ORIGIN)
        assert answer.status_code == 403


def _rename(runtime: Runtime, names: list[str]) -> None:
    with runtime.db.write() as session:
        for number, name in enumerate(names):
            row = sa.update(Paper).where(Paper.external_id == name)
            session.execute(row.values(external_id=f"2401.{number:05d}"))


@pytest.mark.usefixtures("runtime_of_local")
class TestJudging:
    """A handful of papers to judge."""

    def asked(self, local: TestClient, path: str = "/welcome/judge") -> dict[str, str]:
        """Return the fields of the page's form."""
        page = local.get(path).text
        form = page[page.index('action="/welcome/judge"') :].partition("</form>")[0]
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.partition("<button")[0]))

    def answer(self, local: TestClient, answer: str, path: str = "/welcome/judge") -> str:
        """Give an answer and return where it leads."""
        fields = {name: unescape(value) for name, value in self.asked(local, path).items()}
        response = local.post(
            "/welcome/judge", data={**fields, "answer": answer}, headers=ORIGIN, follow_redirects=False
        )
        assert response.status_code == 303
        return str(response.headers["location"])

    def test_five_answers_make_the_list_personal(self, local: TestClient) -> None:
        where, asked = "/welcome/judge", []
        for step in range(1, QUESTIONS + 1):
            asked.append(self.asked(local, where)["paper"])
            assert f"{step} of {QUESTIONS}" in local.get(where).text
            where = self.answer(local, "yes" if step == 1 else "no", where)
        assert len(set(asked)) == QUESTIONS
        assert where == "/for-you"
        page = local.get(where).text
        assert "Ranked for you" in page
        assert not set(asked) & set(listed(local))

    def test_a_yes_is_an_interest_and_a_no_is_hidden(self, local: TestClient) -> None:
        liked = self.asked(local)["paper"]
        where = self.answer(local, "yes")
        declined = self.asked(local, where)["paper"]
        self.answer(local, "no", where)
        assert f'name="paper" value="{liked}" checked' in local.get("/settings/interests").text
        assert f'name="paper" value="{declined}"' in local.get("/settings/hidden").text

    def test_a_skipped_paper_is_no_answer_and_is_not_asked_again(
        self, local: TestClient, runtime_of_local: Runtime
    ) -> None:
        first = self.asked(local)["paper"]
        where = self.answer(local, "skip")
        assert f"1 of {QUESTIONS}" in local.get(where).text
        second = self.asked(local, where)
        assert second["paper"] != first
        where = self.answer(local, "skip", where)
        assert self.asked(local, where)["paper"] not in {first, second["paper"]}
        with runtime_of_local.db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).where(Event.received_at > LONG_AGO)) == 0

    def test_it_says_when_nothing_is_left(self, local: TestClient, runtime_of_local: Runtime) -> None:
        with runtime_of_local.db.write() as session:
            session.execute(sa.update(Paper).values(deleted_at=LONG_AGO))
        assert "no paper left" in local.get("/welcome/judge").text

    @pytest.mark.parametrize("step", ["0", "99", "-1", "x", "²", ""])
    def test_an_impossible_step_begins_or_ends_the_row(self, step: str) -> None:
        assert 1 <= Asking.read(step, "").step <= QUESTIONS

    def test_an_address_does_not_grow_without_end(self) -> None:
        asking: Asking | None = Asking()
        for number in range(200):
            asking = asking.after(skipped=f"2401.{number:05d}") if asking is not None else None
        assert asking is not None
        assert asking.skipped[-1] == "2401.00199"
        assert Asking.read("1", "|".join(asking.skipped)) == asking
        assert len("|".join(asking.skipped)) <= LONGEST_SKIPPED
