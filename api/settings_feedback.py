"""Settings of feedback: slates, events, limits and what they do to lists; part of the one settings class."""

import ipaddress
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings


class FeedbackSettings(BaseSettings):
    """The part of the settings that has to do with what readers are shown and do."""

    slate_days: int = Field(
        30, ge=1, le=3650, description="Days a slate is accepted with events, and a retired signing key with slates."
    )
    old_secret_keys: SecretStr | None = Field(
        None,
        description="Former signing keys as `KEY@TIME` (ISO 8601, when it was replaced), space separated: what they "
        "signed before is accepted for `PAPERFEED_SLATE_DAYS` more.",
    )
    variant: str = Field(
        "base",
        min_length=1,
        max_length=16,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of this configuration, written into every slate.",
    )
    swap_probability: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Probability that a paper changes places with a neighbour, so that position can be told from "
        "liking; 0: never.",
    )
    fatigue_shows: int = Field(
        5, ge=0, le=1000, description="Times a paper is shown to a reader without a click before it sinks; 0: never."
    )
    fatigue_days: int = Field(30, ge=1, description="Impressions older than this no longer count towards that.")
    dismiss_reach: float = Field(
        1.0,
        ge=0,
        le=10,
        description="How far a dismissed paper takes papers like it down, in standard deviations of a list's scores; "
        "0: itself alone.",
    )
    refresh_active_minutes: float = Field(
        15.0, ge=0, description="Readers who did something in the last minutes get their changed list first."
    )
    dead_letter_days: int = Field(30, ge=1, description="Days rejected events are kept for inspection and replay.")
    dead_letters_most: int = Field(
        100_000, ge=1, description="Rejected events kept at most; beyond that the oldest go first."
    )
    rate_reader: float = Field(50.0, ge=0, description="Requests a second of one reader's token; 0: no limit.")
    rate_reader_burst: int = Field(200, ge=1, description="Requests a reader's token may send at once.")
    rate_service: float = Field(0.0, ge=0, description="Requests a second of one service token; 0: no limit.")
    rate_service_burst: int = Field(1000, ge=1, description="Requests a service token may send at once, if limited.")
    rate_anonymous: float = Field(
        20.0, ge=0, description="Requests a second of one address without a token; 0: no limit."
    )
    rate_anonymous_burst: int = Field(100, ge=1, description="Requests an address without a token may send at once.")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, "
        "space separated.",
    )
    cors_origins: str = Field(
        "", description="Origins whose pages may call the API (`https://papers.example.org`), space separated."
    )
    reader_cookie_days: int = Field(
        180, ge=1, le=400, description="Days an anonymous reader is known by their cookie since the last visit."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in value.split():
            try:
                ipaddress.ip_network(part)
            except ValueError:
                raise ValueError(f"{part!r} is no address or network, such as 10.0.0.1 or 10.0.0.0/8") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for part in value.split():
            parts = urlsplit(part)
            is_origin = (
                parts.scheme in {"http", "https"} and parts.netloc and f"{parts.scheme}://{parts.netloc}" == part
            )
            if part != "*" and not is_origin:
                raise ValueError(f"{part!r} is no origin: scheme and host, such as https://papers.example.org")
        return value
