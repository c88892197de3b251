"""Logs: readable in a terminal, JSON elsewhere, never a credential."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from api.runtime.logs import configure_logging, request_id
from api.settings import Settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def logged(stream: io.StringIO, log_format: str = "auto", **extra: object) -> str:
    configure_logging(Settings(log_format=log_format), "api", stream=stream)
    logging.getLogger("paperfeed.test").info("feed refreshed", extra=extra)
    return stream.getvalue()


def test_outside_a_terminal_each_line_is_one_json_object() -> None:
    line = json.loads(logged(io.StringIO(), user_id=3))
    assert line["message"] == "feed refreshed"
    assert (line["level"], line["role"], line["user_id"]) == ("INFO", "api", 3)
    assert line["time"].endswith("+00:00")


def test_in_a_terminal_the_line_is_text_with_its_fields() -> None:
    line = logged(Terminal(), user_id=3, reason="two words")
    assert line.count("\n") == 1
    assert 'info    feed refreshed  user_id=3 reason="two words"' in line


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_format_can_be_chosen(log_format: str) -> None:
    for stream in (io.StringIO(), Terminal()):
        assert logged(stream, log_format).startswith("{") == (log_format == "json")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_credential_given_as_a_field_is_not_written(log_format: str) -> None:
    assert "pf_secret" not in logged(io.StringIO(), log_format, token="pf_secret", authorization="Bearer pf_secret")


def test_a_line_names_the_request_it_belongs_to() -> None:
    reset = request_id.set("abc")
    try:
        assert json.loads(logged(io.StringIO()))["request_id"] == "abc"
    finally:
        request_id.reset(reset)


def test_a_traceback_is_part_of_the_record() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_format="json"), "api", stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("paperfeed.test").exception("failed")
    assert "ValueError: broken" in json.loads(stream.getvalue())["exc_info"]
