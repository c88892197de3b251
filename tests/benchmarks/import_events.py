"""How fast and in how much memory `paperfeed import-events` loads history.

Run: python -m tests.benchmarks.import_events [ROWS]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

ROWS: Final = 500_000
READERS: Final = 5_000
PAPERS: Final = 20_000


def paper_id(number: int) -> str:
    """Return an id in arXiv's shape."""
    return f"24{1 + number // 10_000:02}.{number % 10_000:05}"


def history_lines(count: int, *, seed: int = 1) -> Iterator[str]:
    """Give made-up events of random readers on papers some of which are popular."""
    chance = random.Random(seed)
    yield "user_id,paper_id,kind,occurred_at"
    for _ in range(count):
        paper = paper_id(int(PAPERS * chance.random() ** 2))
        kind = chance.choice(("save", "click", "impression"))
        yield f"u{chance.randrange(READERS)},{paper},{kind},{1_700_000_000 + chance.randrange(5_000_000)}"


def run(folder: Path, *arguments: str) -> tuple[dict[str, int], float, int]:
    """Run a command; return its last line, its seconds and its largest memory in bytes."""
    env = os.environ | {"PAPERFEED_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "api.cli", *arguments]
    started, memory = time.perf_counter(), 0
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            memory = max(memory, watched.memory_info().rss)
            time.sleep(0.1)
        stdout, _ = process.communicate()
    return json.loads(stdout.splitlines()[-1]), time.perf_counter() - started, memory


def main() -> None:
    """Load papers, then the history twice; print rows a second and memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        papers = (json.dumps({"id": paper_id(number), "title": f"Paper {number}"}) for number in range(PAPERS))
        (folder / "papers.jsonl").write_text("\n".join(papers))
        (folder / "history.csv").write_text("\n".join(history_lines(rows)))
        run(folder, "ingest", str(folder / "papers.jsonl"))
        for what in ("first", "second"):
            counts, seconds, memory = run(folder, "import-events", str(folder / "history.csv"))
            print(f"{what}: {rows / seconds:,.0f} rows a second, {memory / 2**20:,.0f} MB, {counts}")  # noqa: T201 - a report


if __name__ == "__main__":
    main()
