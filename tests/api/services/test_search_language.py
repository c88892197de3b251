"""What people type into a search, as it is understood; and what nobody would type, which is no error."""

from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.services.search_language import (
    FIELDS,
    LONGEST_WORD,
    MOST_PARTS,
    MOST_PHRASE_WORDS,
    Parsed,
    loosened,
    named_paper,
    parse,
)
from api.store.search_query import AllOf, AnyOf, Everything, Node, Phrase, Without, Word

PIECES = st.sampled_from(
    ['"', "-", ":", " ", "--", '-"', "title:", 'author:"', "the", "of", "a", "“", "\x00", "\u202e", "é", "论文", "🦙"]
)
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=120).map("".join),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Lo", "Mn", "Zs"]), max_size=60),
)


def parts_of(parsed: Parsed) -> list[Node]:
    """Return the leaves of a tree with the exclusions around them."""
    assert parsed.node is not None
    found: list[Node] = []
    waiting = [parsed.node]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, AllOf | AnyOf):
            waiting = [*node.parts, *waiting]
        else:
            found.append(node)
    return found


def word(text: str, **options: object) -> Word:
    """Return a word with as many typos as its length allows."""
    typos = (len(text) >= 4) + (len(text) >= 8)
    return Word(text, **{"typos": typos, **options})  # type: ignore[arg-type] # options of one dataclass


@settings(max_examples=400)
@given(TEXTS, st.booleans())
def test_any_text_has_a_tree_of_bounded_size(text: str, prefix: bool) -> None:
    parsed = parse(text, prefix=prefix)
    if parsed.node is None:
        assert not parsed.wanted
        return
    leaves = parts_of(parsed)
    assert len(leaves) <= MOST_PARTS
    for leaf in leaves:
        part = leaf.part if isinstance(leaf, Without) else leaf
        assert isinstance(part, Word | Phrase | Everything)
        if isinstance(part, Word):
            assert 0 < len(part.text) <= max(LONGEST_WORD, 40)
            assert part.text.isprintable()
        if isinstance(part, Phrase):
            assert 2 <= len(part.text.split()) <= MOST_PHRASE_WORDS
    assert sum(getattr(part, "is_prefix", False) for part in leaves) <= int(prefix)


@given(TEXTS)
def test_a_looser_search_keeps_what_was_excluded(text: str) -> None:
    parsed = parse(text)
    looser = loosened(parsed)
    if looser is None:
        return
    kept = [part for part in parts_of(parsed) if isinstance(part, Without)]
    assert [part for part in parts_of(Parsed(looser, (), "")) if isinstance(part, Without)] == kept


@given(TEXTS)
def test_the_same_text_is_understood_the_same_and_trees_can_be_compared(text: str) -> None:
    assert parse(text) == parse(text)
    assert hash(parse(text).node) == hash(parse(text).node)
    assert all(is_dataclass(part) and fields(part) is not None for part in parse(text).wanted)


def test_words_are_all_wanted_and_the_last_may_go_on() -> None:
    parsed = parse("sparse atten")
    assert parsed.node == AllOf((word("sparse"), word("atten", is_prefix=True)))
    assert parsed.plain == "sparse atten"


def test_a_space_ends_the_last_word() -> None:
    assert parse("sparse attention ").wanted[-1] == word("attention")
    assert parse("sparse attention", prefix=False).wanted[-1] == word("attention")


def test_of_many_words_most_are_enough() -> None:
    parsed = parse("communication computation decoupling ")
    assert parsed.node == AllOf((AnyOf((word("communication"), word("computation"), word("decoupling")), share=0.6),))
    assert loosened(parsed) == AllOf((AnyOf((word("communication"), word("computation"), word("decoupling"))),))


def test_of_two_words_one_is_enough_only_in_a_looser_search() -> None:
    parsed = parse('sparse attention -vision "two words" ')
    looser = AllOf((Without(word("vision")), Phrase("two words"), AnyOf((word("sparse"), word("attention")))))
    assert loosened(parsed) == looser
    assert loosened(parse("sparse ")) is None


def test_a_phrase_keeps_its_order() -> None:
    assert parse('"mixture of experts" routing ').node == AllOf((Phrase("mixture of experts"), word("routing")))
    assert parse("“mixture of experts”").node == AllOf((Phrase("mixture of experts"),))


def test_a_quote_that_nothing_closes_reaches_to_the_end() -> None:
    assert parse('routing "mixture of exp').wanted[-1] == Phrase("mixture of exp", is_prefix=True)
    assert parse('routing "mixture of exp', prefix=False).wanted[-1] == Phrase("mixture of exp")
    assert parse('"').node is None


def test_a_phrase_of_one_word_is_that_word_as_it_is_written() -> None:
    assert parse('"attentoin"').wanted == (Word("attentoin"),)


def test_exclusions_are_excluded_and_never_being_typed() -> None:
    parsed = parse('graph -vision -"point cloud" -author:hinton')
    assert parts_of(parsed) == [
        word("graph"),
        Without(word("vision")),
        Without(Phrase("point cloud")),
        Without(word("hinton", field="authors")),
    ]
    assert parsed.wanted == (word("graph"),)
    assert parsed.plain == "graph"


def test_a_hyphen_inside_a_word_excludes_nothing() -> None:
    assert parse("self-supervised ").wanted == (Word("self-supervised"),)
    assert parse("a -- b ").wanted == (Word("a"), Word("b"))


def test_exclusions_alone_leave_everything_else() -> None:
    parsed = parse("-vision")
    assert parsed.node == AllOf((Without(word("vision")),))
    assert not parsed.has_text


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_takes_words_and_phrases(name: str) -> None:
    found = parse(f'{name}:learning {name.upper()}:"two words" ')
    typos = 0 if FIELDS[name] in ("id", "category") else 2
    assert found.wanted == (Word("learning", FIELDS[name], typos=typos), Phrase("two words", FIELDS[name]))
    assert found.plain == ""


def test_what_is_no_field_is_a_word() -> None:
    assert [part.text for part in parse("BERT: pre-training title: ").wanted] == ["BERT", "pre-training", "title"]
    assert parse("foo:bar ").wanted == (Word("foo:bar"),)


def test_typos_are_forgiven_by_length_and_not_in_names_with_digits() -> None:
    parsed = parse("ann bert lantern languages gpt4all 注意力机制 ")
    assert [part.typos for part in parsed.wanted if isinstance(part, Word)] == [0, 1, 1, 2, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "2401.01234",
        "2401.01234v3",
        "arXiv:2401.01234v2",
        " https://arxiv.org/abs/2401.01234v1 ",
        "https://huggingface.co/papers/2401.01234",
        '"2401.01234"',
    ],
)
def test_a_paper_is_named_with_or_without_version_and_address(text: str) -> None:
    assert parse(text).external_id == "2401.01234"
    assert named_paper(text) == "2401.01234"


def test_an_id_among_words_is_found_without_its_version() -> None:
    parsed = parse("hep-th/9901001v2 strings ")
    assert parsed.external_id is None
    assert parsed.wanted[0] == Word("hep-th/9901001")


def test_no_text_asks_for_everything_and_no_words_for_nothing() -> None:
    assert parse("  ").node == Everything()
    assert parse("?!… 🦙").node is None
    assert not parse("\x00\x01").has_text


def test_punctuation_around_words_is_left_out() -> None:
    assert [part.text for part in parse("(what's) new, in [C++] ? ").wanted] == ["what's", "new", "in", "C"]


def test_a_sentence_longer_than_any_is_cut() -> None:
    parsed = parse(" ".join(f"word{number}" for number in range(5000)))
    assert len(parsed.wanted) == MOST_PARTS
    assert parse("x" * 5000).node is None
