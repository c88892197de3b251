"""From the tree that is searched for to the engine's own query."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from tantivy import FieldType, Occur, Query

from api.store import search_schema as fields
from api.store.search_query import (
    AllOf,
    AnyOf,
    Everything,
    Filters,
    Node,
    Phrase,
    SearchQuery,
    TextField,
    Without,
    Word,
)

MISSPELT_BOOST: Final = 0.5  # a letter that is wrong halves what a match counts
PREFIX_BOOST: Final = 0.6  # of a word that only begins like the one typed
LONG_PREFIX_SCORE: Final = 0.2  # of one that is not among the most frequent with that beginning
PREFIX_TERMS: Final = 12


class Lexicon(Protocol):
    """What the index knows about its words."""

    def is_known(self, word: str) -> bool:
        """Say whether the word, as written or by its stem, is in any paper."""

    def likely(self, word: str, typos: int) -> Sequence[tuple[str, int]]:
        """Return words of the index that were probably meant, with how many letters differ; empty for a known word."""

    def completions(self, beginning: str, limit: int) -> Sequence[str]:
        """Return the most frequent words with this beginning."""


def translated(query: SearchQuery, lexicon: Lexicon) -> Query:
    """Return the engine's query; filters have no part in the score."""
    matching = _node(query.node, lexicon) or Query.empty_query()
    narrowing = [Query.const_score_query(part, 0.0) for part in _filters(query.filters)]
    if not narrowing:
        return matching
    return Query.boolean_query([(Occur.Must, part) for part in (matching, *narrowing)])


def _node(node: Node, lexicon: Lexicon) -> Query | None:
    """Return the query of a part, None for one without any word (`--`, punctuation)."""
    match node:
        case Word():
            return _word(node, lexicon)
        case Phrase():
            return _phrase(node)
        case AllOf():
            return _all_of(node, lexicon)
        case AnyOf():
            return _any_of(node, lexicon)
        case Without():
            return _all_of(AllOf((node,)), lexicon)
        case Everything():
            return Query.const_score_query(Query.all_query(), 0.0)


def _all_of(node: AllOf, lexicon: Lexicon) -> Query | None:
    wanted = [part for part in node.parts if not isinstance(part, Without)]
    excluded = [_node(part.part, lexicon) for part in node.parts if isinstance(part, Without)]
    must = [found for part in _telling(wanted) if (found := _node(part, lexicon)) is not None]
    must_not = [part for part in excluded if part is not None]
    if not must and not must_not:
        return None
    if not must:  # an exclusion alone leaves everything else
        must = [Query.const_score_query(Query.all_query(), 0.0)]
    clauses = [(Occur.Must, part) for part in must]
    return Query.boolean_query([*clauses, *((Occur.MustNot, part) for part in must_not)])


def _any_of(node: AnyOf, lexicon: Lexicon) -> Query | None:
    telling = _telling(node.parts)
    needed = max(1, math.ceil(node.share * len(telling)))
    found = [_parts(part, lexicon) if needed == 1 else [_node(part, lexicon)] for part in telling]
    parts = [part for alternatives in found for part in alternatives if part is not None]
    if not parts:
        return None
    return Query.boolean_query([(Occur.Should, part) for part in parts], minimum_number_should_match=needed)


def _parts(part: Node, lexicon: Lexicon) -> list[Query | None]:
    """Return the queries whose sum is that of a part: where nothing is nested the engine skips what cannot win."""
    if not isinstance(part, Word) or part.is_prefix or part.field in ("id", "category"):
        return [_node(part, lexicon)]
    plain = fields.plain_analyzer().analyze(part.text)
    if len(plain) != 1 or _as_id(part) or lexicon.likely(plain[0], part.typos):
        return [_node(part, lexicon)]
    return list(_field_queries(part.field, part.text))


def _telling(parts: Sequence[Node]) -> Sequence[Node]:
    """Return the parts without stop words, unless there is nothing else."""
    telling = [part for part in parts if not _is_stop_word(part)]
    return telling or parts


def _is_stop_word(part: Node) -> bool:
    # What is still being typed is no stop word yet.
    if not isinstance(part, Word) or part.field != "any" or part.is_prefix:
        return False
    return part.text.casefold() in fields.STOP_WORDS


def _word(word: Word, lexicon: Lexicon) -> Query | None:
    if word.field in ("id", "category"):
        return _key(word)
    plain = fields.plain_analyzer().analyze(word.text)
    exact = _in_fields(word.field, word.text)
    alternatives = [*([] if exact is None else [exact]), *_as_id(word)]
    if len(plain) == 1:  # not `self-supervised`, and not nothing
        if word.is_prefix:
            alternatives += _longer(word, plain[0], lexicon)
        alternatives += _instead(word.field, lexicon.likely(plain[0], word.typos))
    return _best(alternatives)


def _instead(field: TextField, meant: Iterable[tuple[str, int]]) -> list[Query]:
    found = [(_in_fields(field, other), MISSPELT_BOOST**typos) for other, typos in meant]
    return [Query.boost_query(query, boost) for query, boost in found if query is not None]


def _in_fields(field: TextField, text: str) -> Query | None:
    """Return the query for a text in a field, or in all that are looked into: what they say is added up."""
    parts = _field_queries(field, text)
    return Query.boolean_query([(Occur.Should, part) for part in parts]) if parts else None


def _field_queries(field: TextField, text: str) -> list[Query]:
    found = [(boost, _terms(name, text)) for name, boost in _boosts(field).items()]
    return [Query.boost_query(query, boost) for boost, query in found if query is not None]


def _boosts(field: TextField) -> Mapping[str, float]:
    return fields.ANY_FIELD_BOOSTS if field == "any" else {field: 1.0}


def _terms(name: str, text: str) -> Query | None:
    """Return the query for these words side by side in one field."""
    terms = fields.analyzer_of(name).analyze(text)
    if not terms:
        return None
    schema = fields.build_schema()
    if len(terms) > 1 and name == fields.WORDS:  # it keeps no order
        return None
    if len(terms) == 1:
        return Query.term_query(schema, name, terms[0], "freq")
    return Query.phrase_query(schema, name, list(terms))


def _longer(word: Word, beginning: str, lexicon: Lexicon) -> list[Query]:
    """Return queries for words that go on from this beginning: the frequent ones by their weight, then all the rest."""
    name = fields.WORDS if word.field == "any" else word.field
    wholes = [whole for whole in lexicon.completions(beginning, PREFIX_TERMS) if whole != beginning]
    terms = [_terms(name, whole) for whole in wholes]
    found = [Query.boost_query(term, PREFIX_BOOST) for term in terms if term is not None]
    rest = {"any": fields.WORDS, "title": fields.TITLE_WORDS}.get(word.field, word.field)
    schema = fields.build_schema()
    anything = Query.fuzzy_term_query(schema, rest, beginning, 0, prefix=True)
    found.append(Query.const_score_query(anything, LONG_PREFIX_SCORE))
    if word.typos and not lexicon.is_known(beginning) and not lexicon.completions(beginning, 1):
        near = Query.fuzzy_term_query(schema, rest, beginning, 1, prefix=True)
        found.append(Query.const_score_query(near, LONG_PREFIX_SCORE * MISSPELT_BOOST))
    return found


def _phrase(phrase: Phrase) -> Query | None:
    if phrase.field in ("id", "category"):
        return _key(Word(phrase.text, phrase.field))
    if not phrase.is_prefix:
        return _in_fields(phrase.field, phrase.text)
    plain = fields.plain_analyzer().analyze(phrase.text)
    if len(plain) < 2:
        return _in_fields(phrase.field, phrase.text)
    found = []
    for name, boost in _boosts(phrase.field).items():
        if name == fields.WORDS:
            continue
        # The last word is not whole: its stem would be that of another word.
        whole = fields.analyzer_of(name).analyze(" ".join(plain[:-1]))
        query = Query.phrase_prefix_query(fields.build_schema(), name, [*whole, plain[-1]])
        found.append(Query.const_score_query(query, boost))  # the engine gives it no other
    return Query.boolean_query([(Occur.Should, part) for part in found]) if found else None


def _key(word: Word) -> Query:
    name = fields.EXTERNAL_ID if word.field == "id" else fields.CATEGORY_KEY
    text = word.text.strip().lower()
    schema = fields.build_schema()
    if word.is_prefix:
        return Query.const_score_query(Query.fuzzy_term_query(schema, name, text, 0, prefix=True), 1.0)
    return Query.const_score_query(Query.term_query(schema, name, text, "basic"), 1.0)


def _as_id(word: Word) -> list[Query]:
    """Return the query for a paper of this id, when the word could be one."""
    if word.field != "any" or not any(letter.isdigit() for letter in word.text):
        return []
    return [Query.boost_query(_key(Word(word.text, "id", is_prefix=word.is_prefix)), fields.ID_BOOST)]


def _best(alternatives: list[Query]) -> Query | None:
    """Return the query for any of these, of which the one that says most counts."""
    return Query.disjunction_max_query(alternatives, 0.0) if alternatives else None


def _filters(filters: Filters) -> list[Query]:
    schema = fields.build_schema()
    found = []
    if filters.listed_from is not None or filters.listed_before is not None:
        found.append(_between(filters.listed_from, filters.listed_before))
    if filters.categories:
        found.append(Query.term_set_query(schema, fields.CATEGORY, list(filters.categories)))
    if filters.organizations:
        keys = [name.strip().lower() for name in filters.organizations]
        found.append(Query.term_set_query(schema, fields.ORGANIZATION_KEY, keys))
    if filters.with_code is not None:
        found.append(Query.term_query(schema, fields.HAS_CODE, filters.with_code, "basic"))
    if filters.paper_ids is not None:
        found.append(Query.term_set_query(schema, fields.PAPER_ID, list(filters.paper_ids)))
    if filters.without_withdrawn:
        found.append(Query.term_query(schema, fields.IS_WITHDRAWN, False, "basic"))
    return found


def _between(start: datetime | None, end: datetime | None) -> Query:
    return Query.range_query(
        fields.build_schema(),
        fields.LISTED,
        FieldType.Integer,
        None if start is None else math.floor(start.timestamp()),
        None if end is None else math.floor(end.timestamp()),
        include_upper=end is None,
    )
