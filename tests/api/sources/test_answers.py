"""JSON of strangers: read at bounded memory, refused with a reason."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from api.sources import answers
from api.sources.answers import json_of, records_of_objects, said_by
from api.sources.huggingface import record_of
from api.sources.records import RejectedLine
from api.sources.steps import Got, SourceFailed
from tests.api.sources.documents import as_json, daily_item

MB = 2**20
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "deep": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "many lists": lambda size: b"[" + b"[]," * (size // 3 - 20) + b"[]]",
    "many objects": lambda size: b"[" + b"{}," * (size // 3 - 20) + b"{}]",
    "many numbers": lambda size: b"[" + b"1," * (size // 2 - 20) + b"1]",
    "one text": lambda size: b'["' + b"x" * (size - 20) + b'"]',
    "one number": lambda size: b"[" + b"9" * (size - 20) + b"]",
    "one name": lambda size: b'[{"' + b"x" * (size - 20) + b'":1}]',
    "escapes": lambda size: b'["' + b"\\u0041" * (size // 6 - 20) + b'"]',
}


def got(body: bytes) -> Got:
    return Got(200, {}, body, "http://example.org/list?api_key=secret")


def refused_at(name: str, size: int) -> None:
    body = HOSTILE[name](size)
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(SourceFailed) as caught:
            records_of_objects(answers.list_of(json_of(got(body)), place="p", name="n"), record_of, place="p")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "secret" not in str(caught.value)
    assert peak < 20 * size + 80 * MB
    assert time.process_time() - began < 4.0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_refused_at_bounded_memory_and_time(name: str) -> None:
    refused_at(name, MB)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_the_largest_hostile_answer_is_refused_at_bounded_memory_and_time(name: str) -> None:
    refused_at(name, answers.LARGEST_JSON)


def test_one_object_that_is_understood_shows_that_the_shape_has_not_changed() -> None:
    found = records_of_objects([{}, daily_item(), 3], record_of, place="p")
    assert [isinstance(item, RejectedLine) for item in found] == [True, False, True]


def test_a_few_odd_objects_prove_nothing_where_that_is_said() -> None:
    assert len(records_of_objects([{}, {}], record_of, place="p", fewest=3)) == 2
    with pytest.raises(SourceFailed, match="none of 3 objects"):
        records_of_objects([{}, {}, {}], record_of, place="p", fewest=3)


def test_an_error_says_why_in_few_words() -> None:
    failure = Got(400, {}, as_json({"error": "Invalid\nfilter", "message": "m" * 5_000}), "http://example.org/")
    assert said_by(failure) == "Invalid filter - " + "m" * answers.SAID
    assert said_by(Got(500, {}, b"<html>", "http://example.org/")) == ""
