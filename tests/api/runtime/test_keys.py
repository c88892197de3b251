"""What is sealed opens again, here and for this purpose only, and for a while after its key was replaced."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.runtime import keys as keys_module
from api.runtime.keys import KeyRing, open_key_ring
from api.runtime.secrets import SigningKey, rotate_key_file
from api.settings import Settings

NOW = datetime.now(UTC)
SECRET = b"a signing secret of the tests, long enough"
RING = KeyRing([SigningKey(SECRET)])


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_opens_for_its_purpose_alone(payload: bytes, purpose: bytes) -> None:
    token = RING.seal(purpose, payload)
    opened = RING.open(purpose, token)
    assert opened is not None
    assert (opened.payload, opened.retired_at) == (payload, None)
    assert RING.open(purpose + b"x", token) is None
    assert KeyRing([SigningKey(b"another")]).open(purpose, token) is None
    assert all(character.isalnum() or character in "-_" for character in token)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10**6), st.characters(codec="ascii"))
def test_a_changed_text_does_not_open(payload: bytes, position: int, character: str) -> None:
    token = RING.seal(b"p", payload)
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    assert changed == token or RING.open(b"p", changed) is None


@given(st.text(max_size=200))
def test_no_invented_text_opens(text: str) -> None:
    assert RING.open(b"p", text) is None


def test_a_purpose_cannot_run_into_what_it_seals() -> None:
    assert RING.open(b"p", RING.seal(b"pq", b"r")) is None
    assert RING.open(b"pqr", RING.seal(b"pq", b"r")) is None


def test_a_replaced_key_opens_until_slates_of_its_time_are_too_old() -> None:
    token = RING.seal(b"p", b"x")
    for age, opens in ((timedelta(0), True), (timedelta(days=29), True), (timedelta(days=31), False)):
        ring = KeyRing([SigningKey(b"new" * 12), SigningKey(SECRET, NOW - age)], slate_days=30)
        opened = ring.open(b"p", token)
        assert (opened is not None) == opens
        assert opened is None or opened.retired_at == NOW - age
        assert RING.open(b"p", ring.seal(b"p", b"x")) is None


def test_keys_with_the_same_number_are_told_apart() -> None:
    rings = [KeyRing([SigningKey(b"secret %d" % at)]) for at in range(600)]  # more than one byte can number
    everything = KeyRing([SigningKey(b"secret %d" % at, NOW) for at in range(600)])
    for ring in rings:
        assert everything.open(b"p", ring.seal(b"p", b"x")) is not None


def test_a_running_process_follows_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    checking = open_key_ring(settings)
    monkeypatch.setattr(keys_module, "LOOK_SECONDS", 0.0)  # the next look is due at once
    sealing = open_key_ring(settings)
    before = checking.seal(b"p", b"x")
    rotate_key_file(settings, now=NOW)

    opened = checking.open(b"p", sealing.seal(b"p", b"x"))
    assert opened is not None  # before its look is due: a text of an unknown key makes it look
    assert opened.retired_at is None
    opened = checking.open(b"p", before)
    assert opened is not None
    assert opened.retired_at == NOW.replace(microsecond=0)


def test_a_spoilt_key_file_leaves_a_running_process_its_keys(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    ring = open_key_ring(settings)
    token = ring.seal(b"p", b"x")
    (tmp_path / "secret.key").write_text("short")
    assert ring.open(b"p", "A" * 40) is None
    (tmp_path / "secret.key").unlink()
    assert ring.open(b"p", "A" * 40) is None
    assert ring.open(b"p", token) is not None
