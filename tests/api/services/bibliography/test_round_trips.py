"""What is written is read again as it was, whatever it holds."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import rispy  # type: ignore[import-untyped] # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from api.services.bibliography import (
    BadReference,
    ReadReferences,
    Reference,
    bibtex_key,
    read_bibtex,
    read_csl,
    read_json,
    read_ris,
    tidy_reference,
    write_bibtex,
    write_csl,
    write_json,
    write_ris,
)
from api.services.bibliography.latex import decode, encode, encode_title

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LATEX = st.text(st.sampled_from(list("\\{}$%&#_~^`'-\"@=, aé\nX")), max_size=40)
PAPER_IDS = st.sampled_from(["2401.01234", "hep-th/9901001", "title:0a1b", "my paper, 2", None])
DATES = st.sampled_from(["", "2024", "2024-03", "2024-03-05"])
WORDS = st.one_of(TEXT, LATEX)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Return a reference as it is kept."""
    try:
        return tidy_reference(
            Reference(
                title=draw(WORDS),
                paper_id=draw(PAPER_IDS),
                doi=draw(st.sampled_from([None, "10.1000/x_y{1}", "10.1/a%b"])),
                authors=tuple(draw(st.lists(WORDS, max_size=3))),
                published=draw(DATES),
                venue=draw(WORDS),
                url=draw(st.sampled_from(["", "https://example.org/a_b~c%20d;e"])),
                abstract=draw(WORDS),
                category=draw(st.sampled_from(["", "cs.LG"])),
                tags=tuple(draw(st.lists(WORDS, max_size=3))),
                note=draw(WORDS),
                saved_at=draw(st.sampled_from([None, datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)])),
            )
        )
    except BadReference:
        return Reference(title="A title")


def told(reference: Reference) -> dict[str, object]:
    """Return what a reference says of its paper."""
    names = ("title", "paper_id", "doi", "authors", "published", "venue", "url", "abstract", "category", "tags", "note")
    return {name: getattr(reference, name) for name in (*names, "saved_at")}


Writer = Callable[[Iterable[Reference]], Iterator[str]]


@pytest.mark.parametrize(
    ("write", "read"),
    [(write_bibtex, read_bibtex), (write_ris, read_ris), (write_csl, read_csl), (write_json, read_json)],
    ids=["bibtex", "ris", "csl", "json"],
)
@given(written=st.lists(references(), max_size=4))
def test_what_is_written_is_read_again(
    write: Writer, read: Callable[[str], ReadReferences], written: list[Reference]
) -> None:
    found, rejected = read("".join(write(written)))
    assert [told(one) for one in found] == [told(one) for one in written]
    assert rejected == []


@given(WORDS)
def test_text_survives_latex(text: str) -> None:
    assert decode(encode(text)) == text
    assert decode(encode_title(text)) == text


@given(st.lists(references(), max_size=6))
def test_keys_are_unique_whatever_the_papers(written: list[Reference]) -> None:
    found, _ = read_bibtex("".join(write_bibtex([*written, *written])))
    keys = [one.key.lower() for one in found]
    assert len(keys) == len(set(keys)) == 2 * len(written)


def test_a_paper_keeps_its_key_beside_others() -> None:
    first = Reference("The Analytical Engine", paper_id="2401.00001", authors=("Ada Lovelace",), published="2024")
    second = replace(first, paper_id="2401.00002")
    assert bibtex_key(first) == "lovelace2024analytical-2401.00001"
    alone = read_bibtex("".join(write_bibtex([second])))[0][0].key
    beside = read_bibtex("".join(write_bibtex([first, second])))[0][1].key
    assert alone == beside


def test_other_programs_read_the_ris() -> None:
    text = "".join(write_ris([Reference(title="A", authors=("Ada Lovelace",), tags=("x", "y"), note="one\n\ntwo")]))
    [record] = rispy.loads(text)
    assert (record["title"], record["authors"], record["keywords"]) == ("A", ["Ada Lovelace"], ["x", "y"])
    assert record["notes"] == ["one", "", "two"]


def test_the_csl_is_valid_json_whose_dates_are_numbers() -> None:
    [item] = json.loads("".join(write_csl([Reference(title="A", published="2024-03", authors=("Ada Lovelace",))])))
    assert item["issued"] == {"date-parts": [[2024, 3]]}
    assert item["author"] == [{"literal": "Ada Lovelace"}]
    assert item["id"]


def test_an_empty_library_is_a_valid_file_in_each_format() -> None:
    assert json.loads("".join(write_csl([]))) == []
    assert json.loads("".join(write_json([])))["papers"] == []
    assert "".join(write_bibtex([])) == "".join(write_ris([])) == ""
