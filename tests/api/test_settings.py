"""Settings that cannot be understood."""

import os
import subprocess
import sys

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
