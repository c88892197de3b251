"""When a service may start, and where its signing key comes from."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.runtime.secrets import StartError, check_secrets, create_private_file, read_secret_key
from api.settings import Settings

LONG = SecretStr("k" * 32)


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(data_dir=folder).model_copy(update=changes)


def test_the_embedded_mode_makes_its_key_once_and_keeps_it_private(tmp_path: Path) -> None:
    first = read_secret_key(settings(tmp_path))
    assert len(first) >= 32
    assert read_secret_key(settings(tmp_path)) == first
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_secret_key(settings(tmp_path)), range(16)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_configured_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert read_secret_key(settings(tmp_path, secret_key=LONG)) == b"k" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["database_url", "cache_url", "broker_url"])
def test_outside_the_embedded_mode_a_key_must_be_configured(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match="PAPERFEED_SECRET_KEY"):
        check_secrets(settings(tmp_path, **{name: "redis://elsewhere"}))
    check_secrets(settings(tmp_path, **{name: "redis://elsewhere", "secret_key": LONG}))


def test_an_address_others_can_reach_needs_a_configured_key(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"0\.0\.0\.0 is reachable"):
        check_secrets(settings(tmp_path, host="0.0.0.0"))


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="too short"):
        check_secrets(settings(tmp_path, secret_key=SecretStr("short")))


def test_a_truncated_key_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x")
    with pytest.raises(StartError, match="remove it"):
        read_secret_key(settings(tmp_path))


def test_a_private_file_is_never_replaced(tmp_path: Path) -> None:
    assert create_private_file(tmp_path / "a", "first")
    assert not create_private_file(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
