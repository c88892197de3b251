"""Forms that pages send: read within limits, and only when a page of this service sent them for the same visitor."""

import hashlib
import struct
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.errors import InvalidRequest, NotAllowed, TooLarge, UnsupportedBody
from api.routes.visitors import is_own_page
from api.runtime.keys import KeyRing

PURPOSE: Final = b"form"
CSRF: Final = "csrf"
FORM_DAYS: Final = 30  # a page may lie open in a tab for this long
DAY_SECONDS: Final = 86_400
MOST_FIELDS: Final = 500
MOST_FORM_BYTES: Final = 1024 * 1024
URL_ENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
CHARSETS: Final = frozenset({"", "utf-8", "utf8"})  # others say what no page of ours sends, or take minutes to read
_PAYLOAD: Final = struct.Struct("<16sH")  # whose, and the day it was made
_FORM: Final = "paperfeed_form"  # on the request's state: read once, though the visit asks for it first


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order."""

    fields: tuple[tuple[str, str], ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return a field's first value without white space around it, empty without one."""
        return next((value.strip() for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Return every value of a field that is not empty."""
        return [value.strip() for key, value in self.fields if key == name and value.strip()]

    def file(self, name: str) -> bytes | None:
        """Return what was uploaded in a field, None where no file was chosen."""
        return self.files.get(name)

    def is_set(self, name: str) -> bool:
        """True for a box that is ticked."""
        return any(key == name for key, _ in self.fields)


def make_csrf(keys: KeyRing, whose: str) -> str:
    """Return what the forms of a visitor's pages carry; nobody else can make it."""
    return keys.seal(PURPOSE, _PAYLOAD.pack(_digest(whose), int(time.time()) // DAY_SECONDS))


def check_form(request: Request, keys: KeyRing, form: Form, *, whose: str) -> None:
    """Raise NotAllowed unless a page of this service that was made for this visitor sent the form."""
    if not is_own_page(request.scope):
        raise NotAllowed("this form was sent by a page from elsewhere: nothing was changed")
    opened = keys.open(PURPOSE, form.get(CSRF))
    if opened is None or len(opened.payload) != _PAYLOAD.size:
        raise NotAllowed(_AGAIN)
    digest, day = _PAYLOAD.unpack(opened.payload)
    age = int(time.time()) // DAY_SECONDS - day
    if digest != _digest(whose) or not -1 <= age <= FORM_DAYS:
        raise NotAllowed(_AGAIN)


_AGAIN: Final = (
    "this form belongs to a page that is too old, or to somebody else: nothing was changed. "
    "Load the page again, allow its cookie, and send the form once more"
)


async def parse_form(request: Request) -> Form:
    """Return the form in a request's body.

    Raises UnsupportedBody for another type, TooLarge beyond the limit, InvalidRequest for what is no text in UTF-8.
    """
    kept: Form | None = getattr(request.state, _FORM, None)
    if kept is None:
        kept = await _parse(request)
        setattr(request.state, _FORM, kept)
    return kept


async def _parse(request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _charset_of(request) not in CHARSETS:
        raise UnsupportedBody("a form is sent in UTF-8", content_type=kind[:100])
    if kind == MULTIPART:
        form = await _parse_parts(request)
    elif kind == URL_ENCODED:
        form = Form(_decode(await request.body()))
    else:
        raise UnsupportedBody("a form is sent as browsers send it", content_type=kind[:100])
    if any("\0" in text for pair in form.fields for text in pair):
        raise InvalidRequest("a field of this form is not text")
    return form


def _charset_of(request: Request) -> str:
    _kind, options = parse_options_header(request.headers.get("content-type", ""))
    return options.get(b"charset", b"").decode("latin-1").strip().lower()


def _decode(body: bytes) -> tuple[tuple[str, str], ...]:
    if len(body) > MOST_FORM_BYTES:
        raise TooLarge(f"a form takes {MOST_FORM_BYTES} bytes at most", limit_bytes=MOST_FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise InvalidRequest("the form cannot be read: it has too many fields, or is not text in UTF-8") from None
    return tuple(pairs)


async def _parse_parts(request: Request) -> Form:
    try:
        parts = await request.form(max_files=4, max_fields=MOST_FIELDS, max_part_size=MOST_FORM_BYTES)
    except HTTPException as error:  # Starlette's words for a body that is no such form
        raise InvalidRequest(f"the form cannot be read: {error.detail}") from None
    except UnicodeDecodeError:
        raise InvalidRequest("the form cannot be read: it is not text in UTF-8") from None
    fields: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    for name, value in parts.multi_items():
        if not isinstance(value, UploadFile):
            fields.append((name, value))
        elif value.filename and name not in files:
            files[name] = await value.read()
    await parts.close()
    return Form(tuple(fields), files)


def _digest(whose: str) -> bytes:
    return hashlib.blake2b(whose.encode(), digest_size=16).digest()
