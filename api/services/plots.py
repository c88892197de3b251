"""The plot of an evaluation: bars with intervals, one group per slice, one bar per model."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.services.evaluating import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".png", ".svg")
WIDTH: Final = 0.8  # of a group of bars, where the next one begins at 1
DOTS_PER_INCH: Final = 130


def draw(document: Json, path: Path) -> None:
    """Write NDCG and recall of every model on every slice as a PNG or SVG file."""
    # Without pyplot there is no window system to look for; Agg and SVG need none.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = [f"ndcg@{document['k']}", f"recall@{document['k']}"]
    width = max(7.0, 1.6 * len(document["slices"]) + 2)
    with rc_context({"svg.hashsalt": "paperfeed"}):  # the same figures give the same file
        figure = Figure(figsize=(width, 6.4), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        for axes, metric in zip(figure.subplots(len(metrics), 1, sharex=True), metrics, strict=True):
            _bars(axes, document, metric)
        figure.axes[0].legend(ncols=len(document["models"]), fontsize="small", loc="upper center")
        figure.suptitle(f"{document['split']} split, intervals of 95%", fontsize="medium")
        figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _bars(axes: "Axes", document: Json, metric: str) -> None:
    slices, models = list(document["slices"]), document["models"]
    step = WIDTH / len(models)
    highest = 0.0
    for at, (name, model) in enumerate(models.items()):
        figures = [model["slices"][part]["figures"][metric] for part in slices]
        means = [figure["mean"] for figure in figures]
        arms = [
            [figure["mean"] - figure["low"] for figure in figures],
            [figure["high"] - figure["mean"] for figure in figures],
        ]
        places = [group + (at + 0.5) * step - WIDTH / 2 for group in range(len(slices))]
        axes.bar(places, means, width=step * 0.9, yerr=arms, capsize=2, label=name, error_kw={"linewidth": 0.8})
        highest = max([highest, *(figure["high"] for figure in figures)])
    labels = [f"{part}\n{document['slices'][part]['readers']:,} readers" for part in slices]
    axes.set_xticks(range(len(slices)), labels, fontsize="small")
    axes.set_ylim(0, (highest or 1.0) * 1.2)  # room for the legend
    axes.set_ylabel(metric)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
