"""Sentence encoders by name, and what of a paper they read."""

import hashlib
from typing import Final

WORDS: Final = "words"  # the name of the default: words alone, no sentence encoder
LIBRARY_PREFIX: Final = "sentence-transformers/"  # `all-MiniLM-L6-v2` is known with and without it
LONGEST_NAME: Final = 200  # characters, as wide as the column
TEXT_HASH_LENGTH: Final = 32  # hexadecimal digits: 128 bits


def encoder_key(name: str) -> str:
    """Return the name under which an encoder's vectors are kept, empty for words alone."""
    bare = name.strip()
    return "" if bare in {"", WORDS} else bare.removeprefix(LIBRARY_PREFIX)


def sentence_text(title: str, summary: str) -> str:
    """Return what an encoder reads of a paper."""
    return f"{title}. {summary}" if summary else title


def text_hash(text: str) -> str:
    """Return the fingerprint of a text: equal texts share one vector."""
    return hashlib.blake2b(text.encode(), digest_size=TEXT_HASH_LENGTH // 2).hexdigest()
