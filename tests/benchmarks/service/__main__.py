"""`python -m tests.benchmarks.service [--quick] [ROW ...]`: the service under load, in one run.

Prints a table, and writes it with the machine's description as `results.json` and `results.png` into
`reports/bench-DATE/`.
"""

import importlib
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from tests.benchmarks.service.harness import ROOT, Bench, Row, missing_programs
from tests.benchmarks.service.report import describe_machine, draw, show, write_json

# Modules of this folder with a function `measure(bench) -> list[Row]`, in the order of the table.
PARTS: Final = ("feed", "events", "mixed", "redis_bytes", "second", "hub", "pages", "search")
QUICK_SECONDS, QUICK_ROUNDS = 3.0, 1


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--quick", is_flag=True, help="One short round: whether it runs, not how fast.")
@click.option("--reports", type=click.Path(path_type=Path), default=ROOT / "reports", help="Where to write.")
def main(parts: tuple[str, ...], quick: bool, reports: Path) -> None:
    """Measure the service side by side with plain routes."""
    missing = missing_programs()
    if missing:
        sys.exit(f"bench: {' and '.join(missing)} not found: install them (Debian, Ubuntu: apt install wrk util-linux)")
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows: list[Row] = []
    for name in parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="pf-bench-") as scratch:
            kept = Path(scratch)
            bench = Bench(kept, seconds=QUICK_SECONDS, rounds=QUICK_ROUNDS) if quick else Bench(kept)
            rows += _measure_of(name)(bench)
            show(rows, console)
    now = datetime.now(UTC)
    folder = reports / f"bench-{now:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    write_json(rows, folder / "results.json", machine=describe_machine(), taken_at=now)
    draw(rows, folder / "results.png")
    for name, value in describe_machine().items():
        console.print(f"{name}: {value}")
    console.print(f"written to {folder}")


def _measure_of(name: str) -> Callable[[Bench], list[Row]]:
    module = importlib.import_module(f"tests.benchmarks.service.{name}")
    measure: Callable[[Bench], list[Row]] = module.measure
    return measure


if __name__ == "__main__":
    main()
