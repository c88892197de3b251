"""What is marked in titles and abstracts; and that no text can become markup."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.search_highlighting import SNIPPET_LENGTH, Highlighter
from api.services.search_language import parse

TEXTS = st.one_of(
    st.text(max_size=900),
    st.lists(
        st.sampled_from(
            ["graph", "Graphs", "<b>", "<mark>", "</mark>", "&amp;", "'", '"', "é", "论文", "learning. ", " "]
        ),
        max_size=150,
    ).map(" ".join),
)


def marking(query: str, *, likely: dict[str, list[tuple[str, int]]] | None = None) -> Highlighter:
    """Return what marks the words of a query."""
    known = likely or {}
    return Highlighter.of(parse(query).wanted, likely=lambda word, _: known.get(word, []))


def text_of(marked: str) -> str:
    """Return what a reader sees of HTML that has no other element than `mark`."""
    bare = re.sub("</?mark>", "", marked)
    assert "<" not in bare
    assert ">" not in bare
    return html.unescape(bare)


@given(TEXTS, st.sampled_from(["graph ", "lear", '"graph learning"', "é 论文 ", "mark b amp ", "-graph", ""]))
def test_a_marked_title_is_the_title_and_nothing_else(title: str, query: str) -> None:
    marked = marking(query).mark_title(title)
    assert text_of(marked) == title
    assert marked.count("<mark>") == marked.count("</mark>")


@given(TEXTS, st.sampled_from(["graph ", "lear", '"graph learning"', "论文 "]))
def test_a_snippet_is_a_part_of_the_text(text: str, query: str) -> None:
    shown = text_of(marking(query).cut_snippet(text))
    assert shown.strip("…") in " ".join(text.split())
    assert len(shown) <= SNIPPET_LENGTH + 2


def test_other_forms_of_a_word_are_marked() -> None:
    assert marking("decouples ").mark_title("Decoupling & decoupled") == (
        "<mark>Decoupling</mark> &amp; <mark>decoupled</mark>"
    )


def test_accents_and_case_do_not_matter() -> None:
    assert marking("poincare ").mark_title("POINCARÉ balls") == "<mark>POINCARÉ</mark> balls"


def test_the_word_being_typed_is_marked_by_its_beginning() -> None:
    assert marking("transf").mark_title("Transformers transfer") == ("<mark>Transformers</mark> <mark>transfer</mark>")
    assert marking("transf ").mark_title("Transformers transfer") == "Transformers transfer"


def test_a_phrase_is_marked_as_a_whole_and_only_as_one() -> None:
    marked = marking('"graph learning"').mark_title("Learning graphs, then graph learning")
    assert marked == "Learning graphs, then <mark>graph learning</mark>"


def test_a_compound_is_marked_however_it_is_joined() -> None:
    assert marking("self-supervised ").mark_title("Self supervised") == "<mark>Self supervised</mark>"


def test_a_misspelt_word_marks_what_was_meant() -> None:
    marked = marking("atention ", likely={"atention": [("attention", 1)]}).mark_title("Attention is needed")
    assert marked == "<mark>Attention</mark> is needed"


def test_stop_words_are_marked_only_alone() -> None:
    assert marking("the graph ").mark_title("The graph") == "The <mark>graph</mark>"
    assert marking("the ").mark_title("The graph") == "<mark>The</mark> graph"


def test_excluded_words_and_other_fields_are_not_marked() -> None:
    assert marking("-graph author:learning ").mark_title("Graph learning") == "Graph learning"


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '<img src=x onerror="y">', "</mark><b>"])
def test_markup_in_a_title_is_shown_as_text(evil: str) -> None:
    marked = marking("script img b ").mark_title(evil)
    assert text_of(marked) == evil
    assert "<mark>" in marked


def test_the_snippet_shows_where_most_of_the_query_stands() -> None:
    text = f"{'One graph. ' * 30}Here graph and learning meet. {'Something else. ' * 40}"
    snippet = marking("graph learning ").cut_snippet(text)
    assert "<mark>graph</mark> and <mark>learning</mark> meet" in snippet
    assert snippet.startswith("…")
    assert snippet.endswith("…")


def test_a_text_without_a_match_begins_at_its_beginning() -> None:
    text = "word " * 100
    snippet = marking("graph ").cut_snippet(text)
    assert snippet.startswith("word word")
    assert snippet.endswith("word…")
    assert marking("graph ").cut_snippet("short text") == "short text"
