"""Requests that sources can live with: paced for all processes together, limited in size and time.

A source's pace is held in SQL while a request runs, so that one at a time is made, and freed a pause after its end. A
process that dies with it gives it up when the request would have timed out.
"""

import importlib.metadata
import ipaddress
import random
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from api.sources.steps import HTTP_NOT_MODIFIED, Ask, Got, SourceFailed, retry_after
from api.store import sources as rows
from api.store.engine import Database
from workers.cutting import Cutter

CONNECT_SECONDS: Final = 10.0
MOST_REDIRECTS: Final = 5
MOST_HEADER: Final = 512  # characters of a validator that are kept and sent back
PACE_LOOK_SECONDS: Final = 1.0  # between looks whether a host is free before it was said to be
HOLD_SPARE_SECONDS: Final = 5.0  # a pace is held this much longer than its request may take
CLOCKS_APART_SECONDS: Final = 2.0  # of two machines
RETRY_SECONDS: Final = 2.0  # before the first new try where the host names no time; doubled for each further one
LONGEST_RETRY_SECONDS: Final = 60.0  # a host that wants more is left alone until a later run
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUSY: Final = frozenset({429, 503})
_GZIP: Final = 16 + zlib.MAX_WBITS

Seen = Mapping[str, str]  # {"etag", "modified"} of an answer


class OutOfTime(Exception):
    """The run ends before its next request may be made; `free_at` says from when it can go on."""

    def __init__(self, free_at: datetime) -> None:
        super().__init__(f"no request may be made before {free_at:%H:%M:%S}")
        self.free_at = free_at


@dataclass(frozen=True, slots=True)
class Manners:
    """How a source wants to be asked."""

    pace: str  # shared by all that count as one to their host
    pause_seconds: float
    contact: str = ""
    request_seconds: float = 30.0
    most_bytes: int = 32 * 2**20
    tries: int = 3  # of a request to a host that is busy


class PoliteClient:
    """Makes the requests of one run, which ends at `until` (time.monotonic)."""

    def __init__(self, db: Database, manners: Manners, *, until: float) -> None:
        self._db = db
        self._manners = manners
        self._until = until
        self._cutter = Cutter()
        seconds = manners.request_seconds
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            headers={"User-Agent": user_agent(manners.contact), "Accept-Encoding": "gzip"},
        )

    def __enter__(self) -> "PoliteClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def fetch(self, ask: Ask, *, seen: Seen | None = None) -> tuple[Got, Seen]:
        """Return the answer and what to send along the next time; raises SourceFailed and OutOfTime.

        Answers of any status come back, those of a busy host after the last try; 304 only where `seen` was sent.
        """
        conditions = _conditions(seen or {}) if ask.is_conditional else {}
        for tried in range(1, self._manners.tries):
            got, following = self._follow(ask, conditions, tried=tried)
            if got.status not in _BUSY or not self._can_wait(got):
                return got, following
        return self._follow(ask, conditions, tried=self._manners.tries)

    def _can_wait(self, got: Got) -> bool:
        """True when the time that a busy host asks for is short; its pace is not free before that is over."""
        asked = retry_after(got, now=datetime.now(UTC)) or 0.0
        return asked < min(LONGEST_RETRY_SECONDS, self._left())

    def _follow(self, ask: Ask, conditions: Mapping[str, str], *, tried: int) -> tuple[Got, Seen]:
        """Make the request and those that it is led to."""
        url, headers = ask.url, {**ask.headers, **conditions}
        for _ in range(MOST_REDIRECTS + 1):
            with self._paced() as pause:
                got = self._request(url, headers, ask.body)
                if got.status in _BUSY:
                    asked = retry_after(got, now=datetime.now(UTC))
                    pause.append(_usual_wait(tried) if asked is None else asked)
            if got.status not in _REDIRECTS or "location" not in got.headers:
                if got.status == HTTP_NOT_MODIFIED and not conditions:
                    raise SourceFailed(f"{_place(url)} answered 304 to a request that asked for everything")
                return got, _validators(got.headers)
            following = _redirected(url, got, has_body=ask.body is not None)
            if _is_inside(following) and not _is_inside(ask.url):
                raise SourceFailed(f"{_place(url)} leads to an address that is not public: {_place(following)}")
            if urlsplit(following).netloc != urlsplit(url).netloc:
                headers = dict(conditions)  # a key is for the host it was given for
            url = following
        raise SourceFailed(f"{_place(ask.url)} leads from one address to the next more than {MOST_REDIRECTS} times")

    @contextmanager
    def _paced(self) -> Iterator[list[float]]:
        """Wait for the host's turn, hold it, and free it after the pause, or after what the block adds to the list."""
        held = self._hold()
        pauses = [self._manners.pause_seconds]
        try:
            yield pauses
        finally:
            now = datetime.now(UTC)
            with self._db.write() as session:
                rows.release_pace(session, held, free_at=now + timedelta(seconds=max(pauses)))

    def _hold(self) -> rows.PaceHeld:
        hold = timedelta(seconds=self._manners.request_seconds + HOLD_SPARE_SECONDS)
        while True:
            with self._db.write() as session:
                session.connection()  # begins here: the wait for other writers is not part of the hold
                now = datetime.now(UTC)
                answer = rows.hold_pace(session, self._manners.pace, now=now, held_until=now + hold)
            if isinstance(answer, rows.PaceHeld):
                return answer
            wait, left = (answer - datetime.now(UTC)).total_seconds(), self._left()
            # Up to that time it may be held by a request, which can end at any moment.
            if left <= 0 or (wait > left and wait > hold.total_seconds() + CLOCKS_APART_SECONDS):
                raise OutOfTime(answer)
            time.sleep(max(min(wait, PACE_LOOK_SECONDS, left), 0.01))

    def _request(self, url: str, headers: Mapping[str, str], body: bytes | None) -> Got:
        cutter, seconds = self._cutter, self._manners.request_seconds
        too_long = SourceFailed(f"{_place(url)} took longer than {seconds:g} s for one answer")
        method = "GET" if body is None else "POST"
        watched = {"trace": cutter.note}
        try:
            with (
                cutter.after(seconds),
                self._http.stream(method, url, headers=dict(headers), content=body, extensions=watched) as response,
            ):
                got = Got(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=self._body(response),
                    url=url,
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            if cutter.has_cut:
                raise too_long from error
            raise SourceFailed(f"{_place(url)} cannot be read: {type(error).__name__}: {error}".rstrip(": ")) from error
        if cutter.has_cut:  # an answer without a length looks whole
            raise too_long
        return got

    def _body(self, response: httpx2.Response) -> bytes:
        """Return the inflated body, within the limit of size."""
        place, most = _place(str(response.url)), self._manners.most_bytes
        encoding = response.headers.get("content-encoding", "identity").strip().lower() or "identity"
        if encoding not in {"gzip", "x-gzip", "identity"}:
            raise SourceFailed(f"{place} answered in the encoding {encoding[:20]!r}, which was not asked for")
        body = bytearray()
        inflate = _Inflate(most) if encoding != "identity" else None
        for chunk in response.iter_raw():
            body += chunk if inflate is None else inflate.read(chunk, room=most - len(body))
            if len(body) > most:
                raise SourceFailed(f"{place} answered with more than {most:,} bytes")
        if inflate is not None and not inflate.is_whole:
            raise SourceFailed(f"{place} broke off in the middle of an answer")
        return bytes(body)

    def _left(self) -> float:
        return self._until - time.monotonic()


class _Inflate:
    """Inflates gzip, never more than there is room for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stream = zlib.decompressobj(_GZIP)
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        """True at the end of the compressed data, or where there was none."""
        return self._stream.eof or not self._has_begun

    def read(self, chunk: bytes, *, room: int) -> bytes:
        """Return what the chunk holds, one byte more than `room` at most."""
        self._has_begun = self._has_begun or bool(chunk)
        try:
            return self._stream.decompress(chunk, max(room, 0) + 1)
        except zlib.error as error:
            raise SourceFailed(f"the answer is no gzip: {error}") from error


def user_agent(contact: str) -> str:
    """Return how requests introduce themselves."""
    name = f"paperfeed/{importlib.metadata.version('paperfeed')}"
    if not contact:
        return name
    return f"{name} (mailto:{contact})" if "@" in contact and "://" not in contact else f"{name} (+{contact})"


def _usual_wait(tried: int) -> float:
    return RETRY_SECONDS * 2.0 ** (tried - 1) * random.uniform(1.0, 1.5)


def _redirected(url: str, got: Got, *, has_body: bool) -> str:
    """Return where an answer leads."""
    following = str(httpx2.URL(url).join(got.headers["location"]))
    parts = urlsplit(following)
    if parts.scheme not in {"http", "https"} or (parts.scheme == "http" and url.startswith("https:")):
        raise SourceFailed(f"{_place(url)} leads to an address that is not safe: {_place(following)}")
    if has_body and got.status not in {307, 308}:
        raise SourceFailed(f"{_place(url)} answered {got.status} to what was sent: it has moved to {_place(following)}")
    return following


def _is_inside(url: str) -> bool:
    """True when a host is known here, and by an address that is not for everybody."""
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the request fails too, or a proxy knows the host
        return False
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return any(not (getattr(address, "ipv4_mapped", None) or address).is_global for address in addresses)


def _conditions(seen: Mapping[str, Any]) -> dict[str, str]:
    pairs = (("If-None-Match", seen.get("etag")), ("If-Modified-Since", seen.get("modified")))
    return {name: value for name, value in pairs if isinstance(value, str)}


def _validators(headers: Mapping[str, str]) -> Seen:
    pairs = (("etag", headers.get("etag")), ("modified", headers.get("last-modified")))
    return {name: value for name, value in pairs if value is not None and len(value) <= MOST_HEADER}


def _place(url: str) -> str:
    """Return host and path: a query may hold a key."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"
