"""Who is signed in, for pages; `api.routes.signing` holds the cookie itself, which feedback needs, too."""

from api.routes.signing import COOKIE, find_signed_in, known_signed_in

__all__ = ["COOKIE", "find_signed_in", "known_signed_in"]
