"""The folder of mails of an installation without a mail server: what lies in it, newest first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotFound
from api.store.mails import known_mails

MOST_LISTED: Final = 100
MOST_BYTES: Final = 2 * 1024 * 1024  # of a file: a mail of this service has a twentieth of that
MOST_LOOKED_UP: Final = 500  # mails in one question to the database
NAME: Final = re.compile(r"\d{8}T\d{6}Z-(\d{1,18})\.eml", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail as it would have been sent."""

    name: str  # of the file
    recipient: str
    subject: str
    date: str
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str


def list_mails(folder: Path) -> list[KeptMail]:
    """Return the newest mails; what cannot be read is left out."""
    names = sorted((path.name for path in _files(folder)), key=_order, reverse=True)
    found = []
    for name in names[:MOST_LISTED]:
        try:
            found.append(read_mail(folder, name))
        except NotFound:  # removed meanwhile
            continue
    return found


def read_mail(folder: Path, name: str) -> KeptMail:
    """Return one mail; raises NotFound."""
    message = BytesParser(policy=default).parsebytes(read_file(folder, name))
    headers = tuple((key, str(value)) for key, value in message.items())
    return KeptMail(
        name,
        str(message["To"]),
        str(message["Subject"]),
        str(message["Date"]),
        headers,
        _body(message, "plain"),
        _body(message, "html"),
    )


def read_file(folder: Path, name: str) -> bytes:
    """Return a mail's bytes; raises NotFound for any other name."""
    if NAME.fullmatch(name) is None:
        raise NotFound("there is no mail of this name")
    try:
        with (folder / name).open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        raise NotFound("there is no mail of this name any more") from None


def remove_forgotten(session: Session, folder: Path) -> int:
    """Remove the files of mails that the database knows no more, and return how many: the folder follows the table."""
    files = {int(found[1]): path for path in _files(folder) if (found := NAME.fullmatch(path.name)) is not None}
    numbers = sorted(files)
    removed = 0
    for at in range(0, len(numbers), MOST_LOOKED_UP):
        part = numbers[at : at + MOST_LOOKED_UP]
        for mail_id in set(part) - known_mails(session, part):
            files[mail_id].unlink(missing_ok=True)
            removed += 1
    return removed


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if NAME.fullmatch(path.name) is not None)
    except FileNotFoundError:  # none was written yet
        return


def _order(name: str) -> tuple[str, int]:
    stamp, _, number = name.removesuffix(".eml").partition("-")
    return stamp, int(number)


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return "" if part is None else str(part.get_content())
