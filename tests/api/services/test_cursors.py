"""Cursors belong to one list."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidCursor
from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.services.cursors import Place, decode_cursor, encode_cursor

KEY = KeyRing([SigningKey(b"k" * 32)])
OTHER = KeyRing([SigningKey(b"another key")])
PLACES = st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62), st.text(max_size=50)), max_size=5)


@given(PLACES, st.text(max_size=30))
def test_a_cursor_gives_its_place_back_and_is_url_safe(place: Place, scope: str) -> None:
    cursor = encode_cursor(KEY, scope, place)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert decode_cursor(KEY, scope, cursor) == place


@given(PLACES, st.sampled_from("=ABC"))
def test_another_spelling_of_a_cursor_is_refused(place: Place, last: str) -> None:
    cursor = encode_cursor(KEY, "list", place)
    for changed in {cursor + "=", cursor + "==", cursor[:-1] + last} - {cursor}:
        with pytest.raises(InvalidCursor):
            decode_cursor(KEY, "list", changed)


@given(PLACES, st.text(max_size=30))
def test_no_invented_text_is_a_cursor(place: Place, text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(KEY, "list", text)
    with pytest.raises(InvalidCursor):
        decode_cursor(KEY, "list", encode_cursor(KEY, "another list", place))
    with pytest.raises(InvalidCursor):
        decode_cursor(KEY, "list", encode_cursor(OTHER, "list", place))
