"""Settings that cannot be understood."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PAPERFEED_PORT", "http", "valid integer"),
        ("PAPERFEED_DATABASE_URL", "paperfeed.db", "postgresql+psycopg://"),
        ("PAPERFEED_CACHE_URL", "localhost:6379", "redis://host"),
        ("PAPERFEED_BROKER_URL", "amqp://localhost", "redis://host"),
    ],
)
def test_a_variable_that_cannot_be_understood_is_one_line_that_names_it(name: str, value: str, advice: str) -> None:
    command = [sys.executable, "-m", "api.cli", "migrate"]
    answer = subprocess.run(
        command, env={**os.environ, name: value}, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"paperfeed: {name}: ")
    assert advice in line


SEVERAL = "mails need PAPERFEED_SMTP_HOST, PAPERFEED_MAIL_SENDER and PAPERFEED_PUBLIC_URL"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"PAPERFEED_SMTP_HOST": "x", "PAPERFEED_PUBLIC_URL": "http://y"},
            f"{SEVERAL}: PAPERFEED_MAIL_SENDER, the address that mails come from, is missing",
        ),
        (
            {"PAPERFEED_PUBLIC_URL": "papers"},
            "PAPERFEED_PUBLIC_URL: 'papers' is no address of a site, such as https://papers.example.org",
        ),
    ],
    ids=["several", "one"],
)
def test_our_own_words_about_a_variable_come_alone(variables: dict[str, str], words: str) -> None:
    command = [sys.executable, "-m", "api.cli", "doctor"]
    answer = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"paperfeed: {words}\n")


def test_the_page_of_mails_and_the_first_page_of_the_documents_name_what_the_message_names() -> None:
    names = set(re.findall(r"PAPERFEED_\w+", SEVERAL))
    root = Path(__file__).parents[2]
    page = (root / "api/web/templates/site/mails.html").read_text(encoding="utf-8")
    assert set(re.findall(r"PAPERFEED_\w+", page)) == names
    [line] = [
        one for one in (root / "README.md").read_text(encoding="utf-8").splitlines() if one.startswith("* **Mails**")
    ]
    assert set(re.findall(r"PAPERFEED_\w+", line)) == names
