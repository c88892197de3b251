"""What `paperfeed evaluate` shows in a terminal."""

from typing import Final

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from api.services.comparing import Line, Side
from api.services.evaluating import Json

DIGITS: Final = 3
LOWER_OR_TASTE: Final = ("gini", "novelty", "diversity", "coverage")  # nothing to win: no figure is set in bold
UNBOUNDED: Final = 10_000  # columns
COLOURS: Final = {"better": "green", "worse": "red"}


def show(console: Console, *parts: RenderableType) -> None:
    """Print tables in full: where the output is too narrow, lines run over rather than lose part of a figure."""
    unbounded = console.options.update(width=UNBOUNDED)
    widest = max(console.measure(part, options=unbounded).maximum for part in parts)
    console.width = max(console.width, widest)
    for part in parts:
        console.print(part)


def figures_table(document: Json) -> Table:
    """One row per metric and slice, one column per model."""
    models = document["models"]
    table = Table(
        Column("", no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in models),
        title=_title(document),
        caption="mean and half of the 95% interval over readers; bold: the best of a row",
    )
    for part, about in document["slices"].items():
        counts = f"{about['readers']:,} readers, {about['held_out']:,} to find, {about['candidates']:,} papers"
        table.add_section()
        table.add_row(Text(f"{part}\n", style="bold").append(f"{counts}", style="dim"))
        for metric in document["metrics"]:
            figures = [model["slices"][part]["figures"].get(metric) for model in models.values()]
            if any(figures):
                table.add_row(f"  {metric}", *_cells(metric, figures))
    return table


def comparison_table(a: Side, b: Side, lines: list[Line]) -> Table:
    """One row per metric and slice, the verdict last."""
    table = Table(
        *(Column(name, no_wrap=True) for name in ("slice", "metric")),
        *(Column(name, justify="right", no_wrap=True) for name in ("A", "B", "A - B", "95% interval", "p")),
        Column("A is", no_wrap=True),
        title=f"A: {escape(a.name)}\nB: {escape(b.name)}",
    )
    before = ""
    for line in lines:
        if line.part != before:
            table.add_section()
        interval = line.difference.interval
        table.add_row(
            line.part if line.part != before else "",
            line.metric,
            f"{line.a:.4f}",
            f"{line.b:.4f}",
            f"{interval.mean:+.4f}",
            f"{interval.low:+.4f} to {interval.high:+.4f}",
            spell_p(line.difference.p_value),
            Text(line.verdict, style=COLOURS.get(line.verdict, "")),
        )
        before = line.part
    return table


def verdict_line(a: Side, b: Side, lines: list[Line]) -> str:
    """The one sentence a person wants to know: NDCG in the real feed, or in the first slice there is."""
    chosen = [line for line in lines if line.metric.startswith("ndcg@")]
    line = next((line for line in chosen if line.part == "all"), chosen[0])
    interval = line.difference.interval
    figures = f"{interval.mean:+.4f}, 95% interval {interval.low:+.4f} to {interval.high:+.4f}"
    said = {"tie": "ties with", "better": "is better than", "worse": "is worse than"}[line.verdict]
    p_value = spell_p(line.difference.p_value)
    return f"{a.name} {said} {b.name} on {line.part}: {line.metric} {figures}, p {p_value}, {line.readers:,} readers"


def spell_p(p_value: float) -> str:
    """A p-value as people write it."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _title(document: Json) -> str:
    data = document["data"]
    counts = f"{data['events']:,} events of {data['readers']:,} readers, {data['papers']:,} papers"
    return f"{counts}; split: {document['split']}, seed {document['seed']}"


def _cells(metric: str, figures: list[dict[str, float] | None]) -> list[Text]:
    best = max(round(figure["mean"], DIGITS) for figure in figures if figure)
    has_best = metric.partition("@")[0] not in LOWER_OR_TASTE and best > 0
    cells = []
    for figure in figures:
        if figure is None:
            cells.append(Text("-"))
            continue
        is_best = has_best and round(figure["mean"], DIGITS) == best
        half = (figure["high"] - figure["low"]) / 2
        cell = Text(f"{figure['mean']:.{DIGITS}f}", style="bold" if is_best else "")
        cells.append(cell.append(f" ±{half:.{DIGITS}f}", style="dim not bold"))
    return cells
