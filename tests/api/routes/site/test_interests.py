"""The pages where readers say what they like, mute and hide: the very next list obeys."""

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.tables import Event, LibraryItem, User
from recommender.domain import EventKind
from tests.api.routes.site.conftest import ORIGIN, hidden_fields
from tests.api.routes.site.taste_pages import ADA, Fields, listed, of_topic, send, share_of, told


@pytest.mark.usefixtures("runtime_of_local")
class TestInterests:
    """Topics, papers and what is muted."""

    def test_what_is_liked_is_kept_shown_and_followed(self, local: TestClient) -> None:
        liked = of_topic(1)[:3]
        fields: Fields = {"category": "cs.T1", "other_categories": "math.LO", "more_papers": ", ".join(liked)}
        answer = send(local, "/settings/interests", fields, page="/settings/interests", params=ADA)
        assert answer.headers["location"] == "/settings/interests?reader=ada"
        page = local.get("/settings/interests", params=ADA).text
        assert all(f'value="{one}" checked' in page for one in ["cs.T1", "math.LO", *liked])
        assert share_of(listed(local, **ADA), 1) > 0.5

    def test_an_unticked_paper_counts_no_more(self, local: TestClient) -> None:
        liked = of_topic(1)[:3]
        send(local, "/settings/interests", {"more_papers": " ".join(liked)}, page="/settings/interests", params=ADA)
        send(local, "/settings/interests", {"paper": liked[:1]}, page="/settings/interests", params=ADA)
        page = local.get("/settings/interests", params=ADA).text
        assert [one in page for one in liked] == [True, False, False]

    def test_an_unknown_paper_is_named_and_nothing_typed_is_lost(self, local: TestClient) -> None:
        fields: Fields = {"more_papers": "2401.99999", "terms": "kept here"}
        answer = send(local, "/settings/interests", fields, page="/settings/interests")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "2401.99999" in answer.text
        assert "kept here" in answer.text

    def test_what_is_muted_is_in_no_list_from_the_next_page_on(self, local: TestClient) -> None:
        send(local, "/settings/interests", {"category": "cs.T1"}, page="/settings/interests", params=ADA)
        assert share_of(listed(local, **ADA), 1) >= 0.5
        fields: Fields = {"terms": "", "authors": "", "categories": "cs.T1\ncs.T2"}
        answer = send(local, "/settings/muted", fields, page="/settings/interests", params=ADA)
        assert answer.headers["location"] == "/settings/interests?reader=ada#muted"
        assert local.get("/settings/interests", params=ADA).text.count("cs.T1\ncs.T2</textarea>") == 1
        left = listed(local, **ADA)
        assert len(left) > 10
        assert not set(left) & {*of_topic(1), *of_topic(2)}

    def test_a_rule_that_names_nothing_is_told_and_stays_in_its_field(self, local: TestClient) -> None:
        fields: Fields = {"terms": "?!", "authors": "Somebody", "categories": ""}
        answer = send(local, "/settings/muted", fields, page="/settings/interests")
        assert answer.status_code == 422
        assert "would mute nothing" in answer.text
        assert "?!</textarea>" in answer.text
        assert "Somebody</textarea>" in answer.text

    def test_personal_lists_are_switched_off_and_on(self, local: TestClient) -> None:
        fields: Fields = {"more_papers": " ".join(of_topic(1)[:4])}
        send(local, "/settings/interests", fields, page="/settings/interests", params=ADA)
        assert "Ranked for ada" in local.get("/for-you", params=ADA).text
        send(local, "/settings/personalisation", {"personal": "no"}, page="/settings/interests", params=ADA)
        off = local.get("/for-you", params=ADA).text
        assert "Ranked for ada" not in off
        assert "Personal lists are off for ada" in off
        assert "Personal lists are off" in local.get("/settings/interests", params=ADA).text
        send(local, "/settings/personalisation", {"personal": "yes"}, page="/settings/interests", params=ADA)
        assert "Ranked for ada" in local.get("/for-you", params=ADA).text

    def test_taste_is_forgotten_once_it_is_sure_and_the_library_stays(
        self, local: TestClient, runtime_of_local: Runtime
    ) -> None:
        for paper in of_topic(1)[:4]:
            send(local, "/act", {"save": paper}, page="/", params=ADA)
        assert share_of(listed(local, **ADA), 1) > 0.5
        unsure = send(local, "/settings/taste/reset", {}, page="/settings/interests", params=ADA)
        assert unsure.status_code == 422
        assert share_of(listed(local, **ADA), 1) > 0.5
        send(local, "/settings/taste/reset", {"sure": "yes"}, page="/settings/interests", params=ADA)
        assert told(local, "/for-you", **ADA) == "Your taste is forgotten; your library is as it was."
        assert "Ranked for ada" not in local.get("/for-you", params=ADA).text
        with runtime_of_local.db.read() as session:
            mine = sa.select(sa.func.count()).where(
                LibraryItem.user_id == User.user_id, User.external_id == "ada", LibraryItem.is_saved
            )
            assert session.scalar(mine) == 4

    def test_each_form_belongs_to_its_visitor(self, local: TestClient) -> None:
        carried = hidden_fields(local.get("/settings/interests", params=ADA).text) | {"reader": "bob"}
        for path in ("/settings/interests", "/settings/muted", "/settings/personalisation", "/settings/taste/reset"):
            assert local.post(path, data={**carried, "sure": "yes"}, headers=ORIGIN).status_code == 403


@pytest.mark.usefixtures("runtime_of_local")
class TestHidden:
    """What lists leave out."""

    def test_a_dismissed_paper_is_listed_and_comes_back(self, local: TestClient, runtime_of_local: Runtime) -> None:
        paper, saved = of_topic(1)[:2]
        send(local, "/act", {"dismiss": paper}, page="/", params=ADA)
        send(local, "/act", {"save": saved}, page="/", params=ADA)
        local.get("/", params=ADA)  # says once that it is saved, with an undo
        page = local.get("/settings/hidden", params=ADA).text
        assert f'value="{paper}"' in page
        assert "You were not interested" in page
        assert f'value="{saved}"' not in page  # it is in the library
        answer = send(local, "/settings/hidden", {"paper": paper}, page="/settings/hidden", params=ADA)
        assert answer.headers["location"] == "/settings/hidden?reader=ada"
        assert "No paper is hidden" in local.get("/settings/hidden", params=ADA).text
        with runtime_of_local.db.read() as session:
            kinds = session.scalars(sa.select(Event.kind).order_by(Event.event_pk.desc()).limit(1)).all()
        assert kinds == [EventKind.UNDISMISS]

    @pytest.mark.parametrize(("paper", "words"), [("2401.99999", "not here any more"), ("", "not here any more")])
    def test_a_paper_that_is_not_there_is_told(self, local: TestClient, paper: str, words: str) -> None:
        send(local, "/settings/hidden", {"paper": paper}, page="/settings/hidden", params=ADA)
        assert words in told(local, "/settings/hidden", **ADA)

    def test_a_cursor_of_somebody_else_shows_the_first_page(self, local: TestClient) -> None:
        assert local.get("/settings/hidden", params={"cursor": "nonsense"}).status_code == 200
