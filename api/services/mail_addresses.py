"""Mail addresses as people type them: one plain address each, or an error that says what is wrong."""

import re
from typing import Final

from api.errors import InvalidRequest
from api.store.tables_mails import LONGEST_ADDRESS

LONGEST_LOCAL: Final = 64  # octets before the @: RFC 5321
LONGEST_DOMAIN: Final = 253
# Atoms of RFC 5322: quoted parts, comments and lists of addresses, which the grammar also allows, are refused.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_ENCODED: Final = "=?"  # begins an encoded word of RFC 2047, which mail programs read as something else
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def read_mail_address(text: str) -> str:
    """Return the address as it is kept: as typed before the @, in lower case and ASCII after it; raises InvalidRequest.

    A domain of other letters is written as DNS wants it. Other letters before the @ are refused: few mail servers
    take them.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not local or not domain:
        raise _wrong("write it like ada@example.org")
    if not _LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL or _ENCODED in local:
        raise _wrong("the part before the @ has letters, digits and dots")
    address = f"{local}@{_read_domain(domain)}"
    if len(address) > LONGEST_ADDRESS:
        raise _wrong(f"it is longer than {LONGEST_ADDRESS} characters")
    return address


def fold_mail_address(address: str) -> str:
    """Return the form under which two spellings of one mailbox are the same: nobody tells them apart by capitals."""
    return address.casefold()


def _read_domain(domain: str) -> str:
    try:
        ascii_domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _wrong("the part after the @ is no name of a host") from None
    labels = ascii_domain.split(".")
    if len(ascii_domain) > LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in labels):
        raise _wrong("the part after the @ is no name of a host")
    return ascii_domain


def _wrong(why: str) -> InvalidRequest:
    return InvalidRequest(f"this is no mail address: {why}", field="mail")
