"""What the search index holds of a paper: its fields, how their texts become terms, and what a match in each counts."""

import hashlib
import importlib.metadata
from functools import lru_cache
from typing import Final

import tantivy
from tantivy import Filter, SchemaBuilder, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

PAPER_ID: Final = "paper_id"
UPDATED: Final = "updated"  # `updated_at` in microseconds since 1970: which version of the row the index has
LISTED: Final = "listed"  # seconds since 1970, as the two below
PUBLISHED: Final = "published"
DAILY: Final = "daily"
YEAR: Final = "year"  # of `listed`: counts
UPVOTES: Final = "upvotes"
HAS_CODE: Final = "has_code"
IS_WITHDRAWN: Final = "is_withdrawn"
EXTERNAL_ID: Final = "external_id"
CATEGORY: Final = "category"  # as the source writes it: filters and counts
CATEGORY_KEY: Final = "category_key"  # small letters, with the archive alone (`cs` beside `cs.ai`): the query language
ORGANIZATION_NAME: Final = "organization_name"  # the short name: counts
ORGANIZATION_KEY: Final = "organization_key"  # short and full name in small letters: filters
# Title, abstract and keywords as one text: apart, each has its own mean length and rarities, far off where few papers
# have an abstract.
TEXT: Final = "text"
WORDS: Final = "words"  # every word as it is written, names too: exact matches, prefixes and spelling
TITLE_WORDS: Final = "title_words"  # the same of the title alone

STEMMED_FIELDS: Final = (TEXT, "title", "summary", "keywords")
NAME_FIELDS: Final = ("authors", "organization")

# Where a word that names no field is looked for and what a match counts there; all are added up.
ANY_FIELD_BOOSTS: Final = {TEXT: 1.0, WORDS: 0.5, "title": 0.5, "authors": 1.0, "organization": 1.0}
ID_BOOST: Final = 20.0  # who types an id wants that paper

# Nearly every abstract has them: they say nothing beside other words and cost the most.
STOP_WORDS: Final = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "in", "into", "is", "it", "its"}
    | {"of", "on", "or", "that", "the", "their", "this", "to", "via", "we", "which", "with"}
)

STEMMED: Final = "paperfeed_stemmed"
PLAIN: Final = "paperfeed_plain"
LONGEST_TERM: Final = 60  # bytes; what is longer is a broken line or an address
_VERSION: Final = 2  # raised when documents are made in another way: an older index is rebuilt


@lru_cache(maxsize=1)
def stemmed_analyzer() -> TextAnalyzer:
    """Return what makes terms of titles and abstracts: words in small letters, without accents and English endings."""
    return _words().filter(Filter.stemmer("english")).build()


@lru_cache(maxsize=1)
def plain_analyzer() -> TextAnalyzer:
    """Return what makes terms of names: words in small letters, without accents."""
    return _words().build()


def analyzer_of(field: str) -> TextAnalyzer:
    """Return the analyzer of a text field."""
    return stemmed_analyzer() if field in STEMMED_FIELDS else plain_analyzer()


@lru_cache(maxsize=1)
def build_schema() -> tantivy.Schema:
    """Return the schema of an index; texts are not stored, because SQL has them."""
    builder = SchemaBuilder()
    builder.add_integer_field(PAPER_ID, indexed=True, fast=True)
    for field in (UPDATED, LISTED, PUBLISHED, DAILY, YEAR, UPVOTES):
        builder.add_integer_field(field, fast=True)
    for field in (HAS_CODE, IS_WITHDRAWN):
        builder.add_boolean_field(field, indexed=True, fast=True)
    for field in (CATEGORY, ORGANIZATION_NAME):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic", fast=True)
    for field in (EXTERNAL_ID, CATEGORY_KEY, ORGANIZATION_KEY):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in STEMMED_FIELDS:
        builder.add_text_field(field, tokenizer_name=STEMMED)
    for field in NAME_FIELDS:
        builder.add_text_field(field, tokenizer_name=PLAIN)
    builder.add_text_field(WORDS, tokenizer_name=PLAIN, index_option="freq")
    builder.add_text_field(TITLE_WORDS, tokenizer_name=PLAIN, index_option="basic")
    return builder.build()


def register_analyzers(index: tantivy.Index) -> None:
    """Tell an opened index how its fields become terms."""
    index.register_tokenizer(STEMMED, stemmed_analyzer())
    index.register_tokenizer(PLAIN, plain_analyzer())


@lru_cache(maxsize=1)
def schema_fingerprint() -> str:
    """Return what an index must carry to be read by this version: fields, their making and the engine's format."""
    facts = (_VERSION, STEMMED_FIELDS, NAME_FIELDS, LONGEST_TERM, importlib.metadata.version("tantivy"))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _words() -> TextAnalyzerBuilder:
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST_TERM))
    return builder.filter(Filter.lowercase()).filter(Filter.ascii_fold())
