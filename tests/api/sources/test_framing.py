"""Streams cut into pieces, whatever the sizes of the chunks they arrive in."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sources import framing
from api.sources.framing import Piece, Window, split_array, split_entries, split_lines

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(alphabet='a"\\{}[],\n ', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def lines(data: bytes, size: int = 3) -> list[Piece]:
    return list(split_lines(Window(cut(data, size))))


@given(st.lists(JSON_VALUES, max_size=5), st.integers(1, 40), st.sampled_from([0, orjson.OPT_INDENT_2]))
def test_an_array_gives_its_elements_whatever_the_chunks(values: list[object], size: int, layout: int) -> None:
    window = Window(cut(b" " + orjson.dumps(values, option=layout) + b"rest", size))
    window.start()
    assert [orjson.loads(piece.data) for piece in split_array(window)] == values
    assert [piece.data for piece in split_lines(window)] == [b"rest"]


@given(st.lists(st.binary(max_size=6), max_size=8), st.integers(1, 12))
def test_lines_come_with_their_numbers_whatever_the_chunks(texts: list[bytes], size: int) -> None:
    data = b"\n".join(text.replace(b"\n", b"") for text in texts)
    wanted = [(n, text.strip()) for n, text in enumerate(data.split(b"\n"), 1) if text.strip()]
    assert [(piece.line, piece.data) for piece in lines(data, size)] == wanted


def test_windows_line_ends_and_blank_lines_are_no_pieces() -> None:
    assert [(piece.line, piece.data) for piece in lines(b"a\r\n\r\n  \nb")] == [(1, b"a"), (4, b"b")]


@pytest.mark.parametrize("size", [2, 1000])
def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(framing, "LONGEST_PIECE", 10)
    pieces = lines(b"first\n" + b"x" * 500 + b"\nlast", size)
    assert [(piece.line, piece.problem is None) for piece in pieces] == [(1, True), (2, False), (3, True)]


def test_an_array_cut_off_between_elements_says_so() -> None:
    for data in (b'[{"a": 1},\n{"b": 2}', b'[{"a": 1},\n{"b": 2},'):
        window = Window([data])
        window.start()
        *whole, missing = split_array(window)
        assert [piece.data for piece in whole] == [b'{"a": 1}', b'{"b": 2}']
        assert missing.line == 2
        assert missing.problem is not None


def test_an_array_that_ends_early_says_where() -> None:
    window = Window([b'[{"a": 1},\n{"b": '])
    window.start()
    whole, broken = split_array(window)
    assert (whole.line, whole.problem) == (1, None)
    assert broken == Piece(2, b'{"b": ', "the JSON array ends within this element")


@given(st.integers(1, 30))
def test_entries_come_one_by_one_with_the_head_of_the_feed(size: int) -> None:
    feed = b"<?xml?><feed a='b'>\n<entry><id>1</id></entry>\n<entry x='y'>two</entry></feed>"
    pieces = list(split_entries(Window(cut(feed, size))))
    assert [head for head, _ in pieces] == [b"<?xml?><feed a='b'>\n"] * 2
    assert [(piece.line, piece.data) for _, piece in pieces] == [
        (2, b"<entry><id>1</id></entry>"),
        (3, b"<entry x='y'>two</entry>"),
    ]


def test_a_byte_order_mark_is_no_content() -> None:
    window = Window([b"\xef", b"\xbb\xbf \n{}"])
    assert window.start() == b"{}"
    assert window.line == 2
