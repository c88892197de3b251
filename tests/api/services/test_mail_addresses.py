"""Mail addresses as people type them."""

import pytest

from api.errors import InvalidRequest
from api.services.mail_addresses import fold_mail_address, read_mail_address


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada@example.org", "ada@example.org"),
        ("  Ada.Lovelace+papers@Example.ORG \n", "Ada.Lovelace+papers@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@example.org.", "ada@example.org"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_an_address_is_kept_as_mail_servers_take_it(typed: str, kept: str) -> None:
    assert read_mail_address(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.org",
        "a@b@example.org",
        "ada lovelace@example.org",
        '"ada lovelace"@example.org',
        "ada@exa mple.org",
        "ada@-example.org",
        "ada@example..org",
        ".ada@example.org",
        "ada..l@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "Ada <ada@example.org>",
        "ada\0@example.org",
        "adä@example.org",
        "=?utf-8?q?=0D=0ABcc=3Aeve?=@example.org",
        "ada@[127.0.0.1]",
        f"{'x' * 65}@example.org",
        f"ada@{'x' * 64}.org",
        f"{'x' * 60}@{'.'.join(['y' * 60] * 4)}",
    ],
)
def test_what_is_no_plain_address_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_mail_address(typed)
    assert caught.value.fields["field"] == "mail"


def test_capitals_make_no_other_mailbox() -> None:
    assert fold_mail_address("Ada@example.org") == fold_mail_address("ADA@example.org")
