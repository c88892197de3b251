"""What was measured, as a table in the terminal, as JSON, and as a picture."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.service.harness import Load, Row

LIBRARIES: Final = ("uvicorn", "fastapi", "redis", "orjson", "sqlalchemy")
VERDICTS: Final = {True: "yes", False: "no", None: ""}
DOTS_PER_INCH: Final = 130
COLOURS: Final = {True: "tab:green", False: "tab:red", None: "tab:gray"}


def describe_machine() -> dict[str, str]:
    """Return what the figures were taken on."""
    model = platform.processor() or platform.machine()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": f"{os.cpu_count()} cores, {model}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "load average": f"{os.getloadavg()[0]:.1f}",
    }


def show(rows: Sequence[Row], console: Console) -> None:
    """Print one line per row."""
    table = Table(title="The service under load: ours / theirs", title_justify="left")
    for name in ("what", "against", "value", "at least", "met"):
        table.add_column(name)
    for name in ("a second", "p50 ms", "p95 ms", "p99 ms", "errors"):
        table.add_column(name, justify="right")
    table.add_column("note")
    for row in rows:
        value = f"{row.value:,.2f}" if row.unit == "x" else f"{row.value:,.0f} {row.unit}"
        table.add_row(row.what, row.against, value, row.at_least, VERDICTS[row.is_met], *_figures(row), row.note)
    console.print(table)


def write_json(rows: Sequence[Row], path: Path, *, machine: dict[str, str], taken_at: datetime) -> None:
    """Write everything that was found."""
    document = {"taken_at": taken_at.isoformat(), "machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the rates and the tails of the rows that have both sides."""
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pairs = [(row, row.ours, row.theirs) for row in rows if row.ours is not None and row.theirs is not None]
    figure = Figure(figsize=(11, 2.2 + 0.9 * len(pairs)), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    rates, tails = figure.subplots(1, 2, sharey=True)
    places = range(len(pairs))
    measures: list[tuple[Axes, str, Callable[[Load], float]]] = [
        (rates, "requests a second", lambda load: load.per_second),
        (tails, "p99, milliseconds", lambda load: load.p99_ms),
    ]
    for axes, label, of in measures:
        axes.barh([at - 0.2 for at in places], [of(ours) for _, ours, _ in pairs], height=0.38, label="Paperfeed")
        axes.barh(
            [at + 0.2 for at in places], [of(theirs) for _, _, theirs in pairs], height=0.38, color="0.7", label="plain"
        )
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    rates.set_yticks(list(places), [f"{row.what}\n{row.value:.2f} of {row.against}" for row, _, _ in pairs])
    rates.invert_yaxis()
    rates.legend(fontsize="small")
    figure.savefig(path)


def _figures(row: Row) -> list[str]:
    return [
        _both(row, "{:,.0f}", lambda load: load.per_second),
        _both(row, "{:.1f}", lambda load: load.p50_ms),
        _both(row, "{:.1f}", lambda load: load.p95_ms),
        _both(row, "{:.1f}", lambda load: load.p99_ms),
        _both(row, "{:.2%}", lambda load: load.error_rate),
    ]


def _both(row: Row, form: str, of: Callable[[Load], float]) -> str:
    return " / ".join(form.format(of(load)) for load in (row.ours, row.theirs) if load is not None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
