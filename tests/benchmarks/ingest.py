"""How fast and in how much memory `paperfeed ingest` loads a snapshot.

Run: python -m tests.benchmarks.ingest [LINES]
"""

import itertools
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

import orjson
import psutil

LINES: Final = 100_000
WORDS_IN_ABSTRACT: Final = 180  # as in the real snapshot: about 1,100 characters


def snapshot_lines(count: int, *, seed: int = 1) -> Iterator[bytes]:
    """Give made-up lines with the fields and sizes of the arXiv metadata snapshot."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 11))) for _ in range(20_000)]
    for number in range(count):
        line = {
            "id": f"{7 + number // 200_000:02}{1 + number // 20_000 % 12:02}.{number % 20_000:05}",
            "submitter": "Somebody",
            "authors": "ignored",
            "title": " ".join(chance.choices(words, k=10)).capitalize(),
            "comments": "12 pages",
            "journal-ref": None,
            "doi": None,
            "abstract": "  " + " ".join(chance.choices(words, k=WORDS_IN_ABSTRACT)),
            "categories": "cs.AI cs.LG stat.ML",
            "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}],
            "update_date": "2008-11-26",
            "authors_parsed": [["Family", "First", ""], ["Other", "Second", ""], ["Third", "Person", "Jr."]],
        }
        yield orjson.dumps(line) + b"\n"


def main() -> None:
    """Write seconds, lines a minute and peak memory of a first and a second load."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "snapshot.jsonl"
        with file.open("wb") as out:
            out.writelines(itertools.islice(snapshot_lines(count), count))
        environment = os.environ | {"PAPERFEED_DATA_DIR": f"{folder}/data"}
        for attempt in ("first", "second"):
            sys.stdout.write(json.dumps({"load": attempt, "lines": count} | _measure(file, environment)) + "\n")


def _measure(file: Path, environment: dict[str, str]) -> dict[str, object]:
    started = time.perf_counter()
    command = [sys.executable, "-m", "api.cli", "ingest", str(file)]
    peak = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.2)
        output = child.stdout.read() if child.stdout else b""
    seconds = time.perf_counter() - started
    counts: dict[str, int] = json.loads(output.splitlines()[-1])
    cpu = os.times()
    return counts | {
        "seconds": round(seconds, 1),
        "lines_a_minute": round(sum(counts.values()) / seconds * 60),
        "peak_mb": round(peak / 2**20),
        "cpu_seconds_so_far": round(cpu.children_user + cpu.children_system, 1),
    }


if __name__ == "__main__":
    main()
