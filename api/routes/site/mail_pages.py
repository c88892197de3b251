"""What pages about mails share: mails as documents that can do nothing, and how often one may be asked for."""

from typing import Final

from fastapi import Request, Response

from api.errors import TooManyRequests
from api.routes.addresses import caller_address
from api.runtime.state import Runtime

# A mail brings its own style; whatever else it might bring does nothing.
MAIL_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
# Pages under a secret: neither found by searching nor told to where their links lead.
SECRET_HEADERS: Final = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


def mail_page(html: str) -> Response:
    """Return the HTML of a mail as a page of its own."""
    return Response(html, media_type="text/html; charset=utf-8", headers=MAIL_HEADERS)


async def check_asking(request: Request, runtime: Runtime) -> None:
    """Count one mail that somebody lets us send to an address; raises TooManyRequests."""
    caller = caller_address(request.scope, runtime.settings.trusted_proxies)
    allowance = await runtime.limits.take("asking", caller)
    if allowance is not None and not allowance.is_allowed:
        wait = allowance.retry_after_seconds
        raise TooManyRequests(
            f"too many mails were asked for from your address: try again in {max(wait // 60, 1)} minutes",
            retry_after_seconds=wait,
        )
