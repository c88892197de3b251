"""Plain routes that answer finished bytes: what the papers API is measured against."""

import os
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response

ANSWERS: Final = "BENCH_ANSWERS"  # folder with `daily.json` and a file for each paper in `papers`

hub = FastAPI()
_folder = Path(os.environ.get(ANSWERS, "."))
_daily = (_folder / "daily.json").read_bytes() if ANSWERS in os.environ else b""
_papers = {path.stem: path.read_bytes() for path in (_folder / "papers").glob("*.json")}


@hub.get("/api/daily_papers")
async def read_daily_papers() -> Response:
    """Answer one list."""
    return Response(_daily, media_type="application/json")


@hub.get("/api/papers/{paper_id}")
async def read_paper(paper_id: str) -> Response:
    """Answer one record."""
    return Response(_papers[paper_id], media_type="application/json")
