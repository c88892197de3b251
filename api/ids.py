"""Ids and titles as people write them, brought to the one form under which a paper is stored."""

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final

LONGEST_ID: Final = 200  # characters, as wide as the column
LONGEST_ADDRESS: Final = 4_000  # characters of an address, or of an id between blanks
TITLE_ID_PREFIX: Final = "title:"
TITLE_KEY_LENGTH: Final = 32  # hexadecimal digits: 128 bits

_ARXIV_ID: Final = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[A-Za-z][A-Za-z-]*(?:\.[A-Za-z-]+)?/\d{7})(?:v\d{1,3})?")
_PREFIX: Final = re.compile(
    r"""(?xi)
    (?: oai:arxiv\.org: | arxiv:
    | (?:https?://)?(?:dx\.)?doi\.org/10\.48550/arxiv\. | 10\.48550/arxiv\.
    | (?:https?://)?(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/
    | (?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/papers/
    | (?:https?://)?(?:www\.)?alphaxiv\.org/(?:abs|overview)/
    )\s*"""
)
_VERSION: Final = re.compile(r"\d{4}v(\d{1,3})(?:\.pdf)?/?$", re.IGNORECASE)
_IN_ADDRESS: Final = re.compile(r"(?:\.pdf)?/?(?:[?#].*)?$", re.IGNORECASE)


def has_control_characters(text: str) -> bool:
    """True if `text` holds control, surrogate or line separator characters, which no id and no database text may."""
    return not text.isprintable() and any(unicodedata.category(character) in _FORBIDDEN for character in text)


_FORBIDDEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def normalised_id(text: str) -> str:
    """Return the stored form of an id: without `arXiv:`, address of a known site or version suffix.

    Ids of other shapes are any text of 1 to 200 characters, kept as they are; else ValueError.
    """
    if len(text) > LONGEST_ADDRESS:  # taking prefixes off takes time for each of them
        raise ValueError(f"the id is longer than {LONGEST_ID} characters")
    if text[:1].isdigit() and len(text) in {9, 10} and text[4] == "." and text.replace(".", "", 1).isdecimal():
        return text  # the usual case needs none of the patterns
    found = text.strip()
    while (prefix := _PREFIX.match(found)) is not None:
        found = found[prefix.end() :].strip()
        if "/" in prefix.group() and (bare := _ARXIV_ID.fullmatch(_IN_ADDRESS.sub("", found))):
            found = bare["id"]
    if known := _ARXIV_ID.fullmatch(found):
        found = known["id"]
    if not found:
        raise ValueError("the id is empty")
    if len(found) > LONGEST_ID:
        raise ValueError(f"the id is longer than {LONGEST_ID} characters")
    if has_control_characters(found):
        raise ValueError("the id contains control characters")
    return found


def is_arxiv_id(text: str) -> bool:
    """True if `text` has the shape of an arXiv id."""
    return _ARXIV_ID.fullmatch(text) is not None


def arxiv_version(text: str) -> int | None:
    """Return the version that an arXiv id or address ends with (`2401.01234v2`: 2), None where it names none."""
    found = _VERSION.search(text.strip())
    return int(found[1]) if found else None


@lru_cache(maxsize=4096)  # one chunk of papers asks for each title a few times
def title_key(title: str) -> str:
    """Return the fingerprint under which equal titles meet, whatever their case, spacing and punctuation."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    words = re.sub(r"[\W_]+", " ", folded).strip() or folded.strip()
    return hashlib.sha256(words.encode()).hexdigest()[:TITLE_KEY_LENGTH]


def id_of_title(title: str) -> str:
    """Return the id of a paper that has none of its own."""
    return TITLE_ID_PREFIX + title_key(title)
