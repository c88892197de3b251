"""Names of readers in addresses, and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.hub_names import library_slug, name_of_reader, public_id_of, reader_of_name, slug_of

ID = "0123456789abcdef01234567"


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_every_reader_has_a_name_of_their_own_that_leads_back(reader: str) -> None:
    name = name_of_reader(reader)
    assert re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", name)
    assert reader_of_name(name) == reader


@pytest.mark.parametrize("reader", ["ada", "grace-hopper", "a.b_c", "0"])
def test_a_plain_name_stays_as_it_is(reader: str) -> None:
    assert name_of_reader(reader) == reader


@pytest.mark.parametrize("name", ["a b", "~61", "~zz", "~c3", "caf\u00e9", ".", "..", "~C3~A9"])
def test_what_no_name_looks_like_is_nobody(name: str) -> None:
    assert reader_of_name(name) is None


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Recent models", "recent-models"),
        ("\u00c9t\u00e9 2026!", "ete-2026"),
        ("\u8bba\u6587", "collection"),
        ("x" * 90, "x" * 60),
    ],
)
def test_a_slug_has_the_words_of_the_title_and_the_id(title: str, words: str) -> None:
    slug = slug_of("Ada L.", title, public_id=ID)
    assert slug == f"Ada~20L./{words}-{ID}"
    assert public_id_of(slug.partition("/")[2]) == ID


def test_the_library_has_a_slug_without_an_id() -> None:
    assert library_slug("ada") == "ada/library"
    assert public_id_of("library") is None
