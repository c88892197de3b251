"""When a service may start, and where its signing key comes from."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.runtime.secrets import (
    SigningKey,
    StartError,
    check_secrets,
    create_private_file,
    read_signing_keys,
    rotate_key_file,
)
from api.settings import Settings

LONG = SecretStr("k" * 32)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(data_dir=folder).model_copy(update=changes)


def test_the_embedded_mode_makes_its_key_once_and_keeps_it_private(tmp_path: Path) -> None:
    first = read_signing_keys(settings(tmp_path))
    assert [len(key.secret) >= 32 for key in first] == [True]
    assert read_signing_keys(settings(tmp_path)) == first
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_signing_keys(settings(tmp_path)), range(16)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_configured_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert read_signing_keys(settings(tmp_path, secret_key=LONG)) == (SigningKey(b"k" * 32),)
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
        read_signing_keys(settings(tmp_path))


def test_a_private_file_is_never_replaced(tmp_path: Path) -> None:
    assert create_private_file(tmp_path / "a", "first")
    assert not create_private_file(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"


def test_a_rotation_keeps_the_replaced_keys_as_long_as_slates_are_accepted(tmp_path: Path) -> None:
    [first] = read_signing_keys(settings(tmp_path))
    rotate_key_file(settings(tmp_path), now=NOW)
    second, retired = read_signing_keys(settings(tmp_path))
    assert (retired.secret, retired.retired_at) == (first.secret, NOW)
    assert second.secret != first.secret
    assert second.retired_at is None

    rotate_key_file(settings(tmp_path), now=NOW + timedelta(days=31))
    _, retired = read_signing_keys(settings(tmp_path))
    assert retired.secret == second.secret
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_configured_key_is_rotated_where_it_is_configured(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"PAPERFEED_OLD_SECRET_KEYS as KEY@2026-05-01T12:00:00Z"):
        rotate_key_file(settings(tmp_path, secret_key=LONG), now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_former_keys_come_from_the_settings_with_the_time_they_were_replaced(tmp_path: Path) -> None:
    former = SecretStr(f"{'a' * 32}@2026-05-01T12:00:00Z {'b@' * 16}@2026-05-01T14:00:00+02:00")
    keys = read_signing_keys(settings(tmp_path, secret_key=LONG, old_secret_keys=former))
    assert keys == (SigningKey(b"k" * 32), SigningKey(b"a" * 32, NOW), SigningKey(b"b@" * 16, NOW))


@pytest.mark.parametrize("former", ["a" * 40, f"{'a' * 40}@yesterday", "short@2026-05-01T12:00:00Z"])
def test_a_former_key_without_its_time_or_length_is_refused(tmp_path: Path, former: str) -> None:
    with pytest.raises(StartError, match="KEY@TIME"):
        check_secrets(settings(tmp_path, secret_key=LONG, old_secret_keys=SecretStr(former)))
