"""Settings of mails: the mail server, how patiently it is tried, and who the mails are from."""

import re
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

SmtpSecurity: TypeAlias = Literal["starttls", "tls", "none"]

PORTS: Final[dict[str, int]] = {"starttls": 587, "tls": 465, "none": 25}
TO_SEND_MAILS: Final = "mails need PAPERFEED_SMTP_HOST, PAPERFEED_MAIL_SENDER and PAPERFEED_PUBLIC_URL"
THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SENDER: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)


class MailSettings(BaseSettings):
    """The part of the settings that has to do with mails."""

    public_url: str = Field(
        "",
        description="Address under which readers reach the site (`https://papers.example.org`), for links in mails "
        "and feeds; empty: this machine's.",
    )
    smtp_host: str = Field(
        "", max_length=253, description="Mail server; empty: mails are kept as files in `mails` of the data folder."
    )
    smtp_port: int = Field(0, ge=0, le=65535, description="Its port; 0: 587 for `starttls`, 465 for `tls`, 25 else.")
    smtp_security: SmtpSecurity = Field(
        "starttls",
        description="`starttls` or `tls`, both with a checked certificate; `none` only for a mail server that is "
        "reached without leaving your machines.",
    )
    smtp_ca_file: str = Field("", description="Certificates to trust for it beside the system's; empty: none.")
    smtp_user: str = Field("", max_length=320, description="Login at the mail server; empty: none.")
    smtp_password: SecretStr | None = Field(None, description="Password of that login.")
    smtp_seconds: float = Field(
        20.0, gt=0, le=600, description="Time limit of connecting to the mail server and of each of its answers."
    )
    mail_sender: str = Field(
        "",
        max_length=320,
        description="Address that mails come from (`papers@example.org`), needed with a mail server.",
    )
    mail_sender_name: str = Field("Paperfeed", max_length=80, description="Name shown with that address.")
    mail_attempts: int = Field(
        8, ge=1, le=50, description="Times a mail is tried, ever further apart: 8 take about 30 hours."
    )
    mail_bounces: int = Field(
        3, ge=1, description="Permanent refusals in a row after which a digest stops, with a notice on the site."
    )
    mail_days: int = Field(30, ge=1, description="Days the note that a mail was sent is kept, without what it said.")
    mail_old_minutes: float = Field(
        60.0, gt=0, description="Minutes a mail may be overdue before `/readyz` is degraded."
    )
    digest_papers: int = Field(10, ge=1, le=50, description="Papers in one digest, at most.")
    digest_requests_an_hour: int = Field(
        20, ge=1, description="Confirmation mails that one address of a visitor may ask for in an hour."
    )

    @field_validator("smtp_password", mode="before")
    @classmethod
    def _empty_password_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("public_url")
    @classmethod
    def _site_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        is_plain = parts.scheme in {"http", "https"} and parts.netloc and not parts.query and not parts.fragment
        if not is_plain or parts.username is not None or not value.isprintable() or " " in value:
            raise ValueError(f"{value!r} is no address of a site, such as https://papers.example.org")
        return value.rstrip("/")

    @field_validator("mail_sender")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        if value and not _SENDER.fullmatch(value):
            raise ValueError(f"{value!r} is no mail address, such as papers@example.org")
        return value

    @field_validator("mail_sender_name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("the name is one line of printable characters")
        return value

    @model_validator(mode="after")
    def _complete_mail_server(self) -> "MailSettings":
        if self.smtp_host and not self.mail_sender:
            raise ValueError(f"{TO_SEND_MAILS}: PAPERFEED_MAIL_SENDER, the address that mails come from, is missing")
        if self.smtp_user and self.smtp_security == "none" and self.smtp_host not in THIS_MACHINE:
            raise ValueError("a login is not sent unencrypted: set PAPERFEED_SMTP_SECURITY to starttls or tls")
        return self

    @property
    def resolved_smtp_port(self) -> int:
        """The port of the mail server."""
        return self.smtp_port or PORTS[self.smtp_security]
