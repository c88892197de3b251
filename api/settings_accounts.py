"""Settings of accounts and of signing in; part of the one settings class."""

import re
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_DOMAIN: Final = re.compile(r"[a-z0-9.-]+")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class AccountSettings(BaseSettings):
    """The part of the settings that has to do with who may sign in, and how."""

    sign_in_domains: str = Field(
        "",
        description="Mail domains whose people may sign in (`example.org example.com`), space separated; empty: "
        "everybody.",
    )
    moderators: str = Field("", description="Mail addresses of accounts that moderate comments, space separated.")
    sign_in_minutes: float = Field(15.0, gt=0, le=1440, description="Minutes a mailed link signs in.")
    sign_in_links_hourly: int = Field(
        5, ge=1, le=1000, description="Links an hour that are mailed to one address; more are asked for in vain."
    )
    sign_in_clients_hourly: int = Field(
        20, ge=1, le=100_000, description="Links an hour that one client address may ask for."
    )
    session_days: float = Field(30.0, gt=0, le=400, description="Days without a visit after which a session is over.")
    session_most_days: float = Field(180.0, gt=0, le=400, description="Days after which a session is over anyway.")
    oidc_issuer: str = Field(
        "", description="OpenID Connect issuer to sign in with (`https://id.example.org`); empty: mail links alone."
    )
    oidc_client_id: str = Field("", description="Name of this service at the issuer.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Secret of this service at the issuer; unset: a public client, with PKCE alone."
    )
    oidc_name: str = Field("single sign-on", max_length=60, description="What the button to the issuer says.")

    @field_validator("sign_in_domains")
    @classmethod
    def _domains(cls, value: str) -> str:
        for part in value.lower().split():
            if not _DOMAIN.fullmatch(part):
                raise ValueError(f"{part!r} is no mail domain, such as example.org")
        return value.lower()

    @field_validator("moderators")
    @classmethod
    def _mails(cls, value: str) -> str:
        for part in value.split():
            if not _MAIL.fullmatch(part):
                raise ValueError("this takes mail addresses, such as ada@example.org")
        return value.lower()

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if value and not (is_safe and parts.netloc and not parts.query and not parts.fragment):
            raise ValueError("an address like https://id.example.org is needed")
        return value

    @field_validator("oidc_client_secret", mode="before")
    @classmethod
    def _no_secret(cls, value: object) -> object:
        return None if value == "" else value

    @cached_property
    def moderator_mails(self) -> frozenset[str]:
        """The addresses of those who moderate."""
        return frozenset(self.moderators.split())

    @cached_property
    def sign_in_domain_names(self) -> frozenset[str]:
        """The domains whose people may sign in; none: everybody may."""
        return frozenset(self.sign_in_domains.split())
