"""Names of encoders and what they read."""

import pytest

from api.sentences import encoder_key, sentence_text, text_hash
from api.settings import Settings


@pytest.mark.parametrize("name", ["", "  ", "words", " words "])
def test_words_alone_have_no_key(name: str) -> None:
    assert encoder_key(name) == ""
    assert Settings(text_encoder=name).sentence_encoder == ""


def test_a_model_has_one_key_under_both_its_names() -> None:
    assert encoder_key("sentence-transformers/all-MiniLM-L6-v2") == encoder_key(" all-MiniLM-L6-v2") != ""
    assert encoder_key("allenai/specter2_base") == "allenai/specter2_base"


def test_a_text_is_title_and_summary_and_its_fingerprint_follows_both() -> None:
    assert sentence_text("Title", "") == "Title"
    assert sentence_text("Title", "Summary") == "Title. Summary"
    prints = {text_hash(sentence_text(*parts)) for parts in (("a", ""), ("a", "b"), ("b", "a"))}
    assert {len(prints), *map(len, prints)} == {3, 32}
