"""Settings of accounts: what they take and what they refuse."""

import pytest
from pydantic import ValidationError

from api.settings import Settings


def test_moderators_and_domains_are_compared_without_capitals() -> None:
    settings = Settings(moderators="Ada@Papers.test grace@papers.test", sign_in_domains="Papers.test")
    assert settings.moderator_mails == {"ada@papers.test", "grace@papers.test"}
    assert settings.sign_in_domain_names == {"papers.test"}


def test_without_settings_everybody_may_sign_in_and_nobody_moderates() -> None:
    settings = Settings()
    assert settings.moderator_mails == settings.sign_in_domain_names == frozenset()
    assert settings.oidc_issuer == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example.org",
        "id.example.org",
        "https://",
        "https://id.example.org/?x=1",
        "https://id.example.org/#x",
        "javascript:alert(1)",
    ],
)
def test_an_issuer_is_an_encrypted_address(address: str) -> None:
    with pytest.raises(ValidationError, match=r"https://id\.example\.org"):
        Settings(oidc_issuer=address)


@pytest.mark.parametrize(
    "address", ["https://id.example.org", "https://id.example.org/realms/papers", "http://127.0.0.1:8080"]
)
def test_an_issuer_may_have_a_path_and_may_be_on_this_machine(address: str) -> None:
    assert Settings(oidc_issuer=address).oidc_issuer == address


@pytest.mark.parametrize(
    "given",
    [
        {"moderators": "ada"},
        {"sign_in_domains": "@papers.test"},
        {"sign_in_minutes": 0},
        {"session_days": 0},
        {"sign_in_links_hourly": 0},
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(given)


def test_an_empty_secret_is_none() -> None:
    assert Settings.model_validate({"oidc_client_secret": ""}).oidc_client_secret is None
