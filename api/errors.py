"""The one tree of errors that services raise; the HTTP skin turns them into problem+json."""

from typing import ClassVar


class ServiceError(Exception):
    """A failure with a stable name, an HTTP status and fields for the client."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    type_name: ClassVar[str] = "internal"

    def __init__(self, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers this error asks for."""
        return {}


class InvalidRequest(ServiceError):
    """The request is well-formed HTTP but says something impossible."""

    status, title, type_name = 422, "Invalid request", "invalid-request"


class InvalidCursor(InvalidRequest):
    """A cursor that this service did not issue, for this list."""

    title, type_name = "Invalid cursor", "invalid-cursor"


class MissingReader(ServiceError):
    """A service token called a personal route without naming the reader."""

    status, title, type_name = 400, "Missing X-User header", "missing-reader"


class NotAuthenticated(ServiceError):
    """No token, or one that is unknown or revoked."""

    status, title, type_name = 401, "Not authenticated", "not-authenticated"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class NotAllowed(ServiceError):
    """A valid token whose scopes do not reach this far."""

    status, title, type_name = 403, "Not allowed", "not-allowed"


class NotFound(ServiceError):
    """No such paper, run, version or token."""

    status, title, type_name = 404, "Not found", "not-found"


class Gone(ServiceError):
    """It was here and will not be again."""

    status, title, type_name = 410, "Gone", "gone"


class Conflict(ServiceError):
    """The state of the resource forbids this now."""

    status, title, type_name = 409, "Conflict", "conflict"


class TooSlow(ServiceError):
    """A body that did not arrive in time; nothing of it was stored."""

    status, title, type_name = 408, "Too slow", "too-slow"

    @property
    def headers(self) -> dict[str, str]:
        return {"Connection": "close"}


class TooLarge(ServiceError):
    """A body or batch over its limit; nothing of it was stored."""

    status, title, type_name = 413, "Too large", "too-large"


class UnsupportedBody(ServiceError):
    """A body of a type or in an encoding that this route does not read."""

    status, title, type_name = 415, "Unsupported body", "unsupported-body"

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept-Encoding": "gzip, identity", "Accept": "application/json, text/plain"}


class TooManyRequests(ServiceError):
    """More requests than the limit of this token or address allows; the same request succeeds a little later."""

    status, title, type_name = 429, "Too many requests", "too-many-requests"

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.fields["retry_after_seconds"])}


class Unavailable(ServiceError):
    """A dependency is down or the disk is full; the same request may succeed later."""

    status, title, type_name = 503, "Temporarily unavailable", "unavailable"
    retry_after_seconds: ClassVar[int] = 5

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}
