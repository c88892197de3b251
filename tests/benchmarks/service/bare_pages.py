"""A plain route that answers a finished page: what the daily page is measured against."""

import os
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response

PAGE: Final = "BENCH_PAGE"  # the file with what it answers

pages = FastAPI()
_page = Path(os.environ[PAGE]).read_bytes() if PAGE in os.environ else b""


@pages.get("/")
async def read_page() -> Response:
    """Answer one page."""
    return Response(_page, media_type="text/html; charset=utf-8")
