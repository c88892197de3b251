"""What makes the site installable."""

from typing import Final

import orjson
from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)

MANIFEST: Final = {
    "id": "/",
    "name": "Paperfeed",
    "short_name": "Paperfeed",
    "description": "Daily papers with a feed that learns.",
    "start_url": "/",
    "scope": "/",
    "display": "standalone",
    "background_color": "#ffffff",
    "theme_color": "#ffffff",
    "categories": ["education", "news"],
    "icons": [
        {"src": "/static/icon-192.png", "sizes": "192x192", "type": "image/png"},
        {"src": "/static/icon-512.png", "sizes": "512x512", "type": "image/png"},
        {"src": "/static/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
        {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml"},
    ],
    "shortcuts": [
        {"name": "For you", "url": "/for-you"},
        {"name": "Search", "url": "/search"},
        {"name": "Library", "url": "/library"},
    ],
}
HEADERS: Final = {"Cache-Control": "public, max-age=86400"}


@router.get("/manifest.webmanifest")
def read_manifest() -> Response:
    """The name and the pictures of an installed Paperfeed."""
    return Response(orjson.dumps(MANIFEST), media_type="application/manifest+json", headers=HEADERS)
