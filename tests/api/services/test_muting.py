"""What a rule names, and what it does not: whole words, whatever their case, accents and spaces."""

import pytest

from api.services.muting import Muted, Rules, is_muted
from api.store.taste_rows import PaperWords

PAPER = PaperWords(
    texts=("Large Language Models and the Naïve reader", "We study C++ programs. 大規模言語モデル.", "graph-neural"),
    authors=("Zoë Łukasz", "Ada B. Lovelace"),
    categories=("cs.CL", "math.AG"),
)


def rules(**muted: tuple[str, ...]) -> Rules:
    """Take rules apart."""
    return Rules.of(Muted(**muted))


@pytest.mark.parametrize(
    "term",
    ["language", "LANGUAGE models", "large  language", "naive", "naïve", "c++", "graph-neural", "graph neural", "言語"],
)
def test_a_term_is_found_as_whole_words(term: str) -> None:
    assert is_muted(rules(terms=(term,)), PAPER)


@pytest.mark.parametrize("term", ["lang", "model", "c", "reader we", "models language", "言葉", "ada", "cs"])
def test_part_of_a_word_other_orders_and_other_fields_are_not_found(term: str) -> None:
    assert not is_muted(rules(terms=(term,)), PAPER)


@pytest.mark.parametrize("author", ["zoe lukasz", "Zoë", "lovelace", "Ada B Lovelace"])
def test_an_author_is_found_by_name_or_whole_words_of_it(author: str) -> None:
    assert is_muted(rules(authors=(author,)), PAPER)


@pytest.mark.parametrize("author", ["Love", "Ada Lovelace", "language"])
def test_another_author_is_not(author: str) -> None:
    assert not is_muted(rules(authors=(author,)), PAPER)


@pytest.mark.parametrize(("category", "is_named"), [("CS.cl", True), ("math", True), ("cs.LG", False), ("cs.C", False)])
def test_a_category_is_named_whole_or_by_its_field(category: str, is_named: bool) -> None:
    assert is_muted(rules(categories=(category,)), PAPER) is is_named


@pytest.mark.parametrize("term", ["", "  ", "?!", "…"])
def test_a_rule_without_a_word_mutes_nothing(term: str) -> None:
    assert not is_muted(rules(terms=(term,), authors=(term,)), PAPER)
    assert rules(terms=(term,)).is_empty


def test_without_rules_nothing_is_muted() -> None:
    assert not is_muted(rules(), PAPER)
