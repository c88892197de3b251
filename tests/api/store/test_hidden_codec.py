"""Hidden papers as a string that grows: what it says after any sequence of marks, and when it is not believed."""

from hypothesis import given
from hypothesis import strategies as st

from api.store.hidden_codec import (
    ENTRY_BYTES,
    LONGEST,
    NUMBER,
    entries_of,
    hidden_of,
    mark_of,
    rewrite,
    unpack_hidden,
)

NUMBERS = st.integers(1, NUMBER)
MARKS = st.lists(st.tuples(NUMBERS | st.integers(1, 5), st.booleans()), max_size=60)


@given(user_id=NUMBERS, marks=MARKS)
def test_the_last_mark_of_a_paper_counts(user_id: int, marks: list[tuple[int, bool]]) -> None:
    value, expected = mark_of(user_id), set[int]()
    for paper_id, shown in marks:
        value += entries_of([paper_id], shown=shown)
        (expected.discard if shown else expected.add)(paper_id)
    found = unpack_hidden(value, user_id=user_id)
    assert found is not None
    assert found.paper_ids == expected == hidden_of(value)
    assert not found.is_cut


def test_a_string_without_its_readers_mark_is_not_believed() -> None:
    assert unpack_hidden(entries_of([7, 8]), user_id=7) is None
    assert unpack_hidden(mark_of(8) + entries_of([1]), user_id=7) is None
    assert unpack_hidden(b"", user_id=7) is None
    assert unpack_hidden(None, user_id=7) is None


def test_a_damaged_or_overlong_string_is_not_believed() -> None:
    whole = mark_of(7) + entries_of([1, 2])
    assert unpack_hidden(whole[:-1], user_id=7) is None
    assert unpack_hidden(mark_of(7) + entries_of([1] * (LONGEST // ENTRY_BYTES)), user_id=7) is None


@given(hidden=st.frozensets(NUMBERS, max_size=40), marks=MARKS, most=st.integers(1, 20))
def test_what_is_written_anew_keeps_what_was_marked_last(
    hidden: frozenset[int], marks: list[tuple[int, bool]], most: int
) -> None:
    seen = mark_of(7) + b"".join(entries_of([paper_id], shown=shown) for paper_id, shown in marks)
    found = unpack_hidden(rewrite(hidden, user_id=7, seen=seen, most=most), user_id=7)
    assert found is not None
    assert found.paper_ids <= hidden
    assert len(found.paper_ids) == min(len(hidden), most)
    assert found.is_cut == (len(hidden) > most)
    marked = [paper_id for paper_id, shown in reversed(marks) if paper_id in hidden and not shown]
    assert set(list(dict.fromkeys(marked))[:most]) <= found.paper_ids
