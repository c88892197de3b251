"""`paperfeed evaluate`: how good the ranker is, on files or on what the service has recorded, and against what."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, NoReturn

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.cli.evaluate_tables import comparison_table, figures_table, show, verdict_line
from api.services import comparing, evaluating, plots
from api.services.evaluating import EvaluationError, Evidence, Question
from api.settings import Settings, read_settings
from api.sources.tables import TableError
from api.store.engine import Database
from recommender.contestants import HYBRID, MODELS, contestants
from recommender.hybrid import HybridConfig
from recommender.slices import MEANINGS, NothingToMeasureError, slices_named

EXIT_UNUSABLE_INPUT: Final = 2
LARGEST_SEED: Final = 2**32 - 1  # what every library takes
LONGEST_LIST: Final = 1000  # nobody reads on, and memory grows with it
STDOUT: Final = Path("-")
_FILE = click.Path(dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path, allow_dash=True)


@click.command(short_help="Measure the ranker against baselines, on files or on the service's own history.")
@click.option("--interactions", type=_FILE, help="CSV: user_id,paper_id[,kind][,occurred_at]; else the live database.")
@click.option("--papers", type=_FILE, help="JSON lines: id, title?, summary?, keywords?, ...")
@click.option("--held-out", type=_FILE, multiple=True, help="CSV of pairs to be found: a fixed split. Repeatable.")
@click.option("--candidates", type=_FILE, help="Rank only these papers, one id per line.")
@click.option("--split", type=click.Choice(["auto", "temporal", "per-reader"]), default="auto", show_default=True)
@click.option("--slices", help=f"Comma-separated, of {', '.join(MEANINGS)}; all when not given.")
@click.option("--models", help=f"Comma-separated, of {', '.join(MODELS)}; all when not given.")
@click.option("--config", type=_FILE, help="JSON with tunables of the hybrid; those not named keep their default.")
@click.option("--encoder", metavar="NAME", help="Sentence encoder beside words, for files; the service names its own.")
@click.option("--readers", type=click.IntRange(min=1), help="Ask at most so many readers per slice.")
@click.option(
    "-k", "--k", "k", type=click.IntRange(1, LONGEST_LIST), default=20, show_default=True, help="Length of a list."
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Of the split, the fits and the intervals.",
)
@click.option("--json", "json_out", type=_OUT, help="Save the figures; `-` for standard output.")
@click.option("--plot", type=_FILE, help="Draw the figures, FILE.png or FILE.svg.")
@click.option("--compare", nargs=2, metavar="A B", help="Compare two saved results, FILE.json or FILE.json:MODEL.")
def command(
    *,
    interactions: Path | None,
    papers: Path | None,
    held_out: tuple[Path, ...],
    candidates: Path | None,
    split: Literal["auto", "temporal", "per-reader"],
    slices: str | None,
    models: str | None,
    config: Path | None,
    encoder: str | None,
    readers: int | None,
    k: int,
    seed: int,
    json_out: Path | None,
    plot: Path | None,
    compare: tuple[str, str] | None,
) -> None:
    """Measure the hybrid and its baselines on readers' likings that the fit does not see.

    Reads files, or the database of this installation when none are given, without changing it. The split is temporal
    where half of the events carry a time, and hides a share of every reader's likings otherwise.
    """
    with _one_line_errors():
        _check_outputs(json_out, plot)
        if compare is not None:
            if interactions or papers or held_out or candidates or plot:
                raise EvaluationError("--compare takes two saved results and no data: leave the files out")
            _compare(*compare, seed=seed, json_out=json_out)
            return
        question = _question(models, slices, config, k=k, seed=seed, split=split, readers=readers)
        with _progress() as bars:
            evidence = _read(interactions, papers, held_out, candidates, split=split, encoder=encoder, bars=bars)
            whole = bars.add_task("split", total=1.0)
            result = evaluating.measure(
                evidence, question, progress=lambda what, share: bars.update(whole, description=what, completed=share)
            )
        _hand_out(result, json_out, plot)


def _question(
    models: str | None,
    slices: str | None,
    config: Path | None,
    *,
    k: int,
    seed: int,
    split: Literal["auto", "temporal", "per-reader"],
    readers: int | None,
) -> Question:
    """Everything that can be wrong before a file is read."""
    names = tuple(MODELS) if models is None else _names(models)
    tunables = HybridConfig() if config is None else evaluating.read_config(config)
    try:
        contestants(names, tunables, seed=seed)
        parts = tuple(MEANINGS) if slices is None else slices_named(_names(slices))
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    return Question(names, parts, tunables, k=k, seed=seed, split=split, readers=readers)


def _read(
    interactions: Path | None,
    papers: Path | None,
    held_out: tuple[Path, ...],
    candidates: Path | None,
    *,
    split: str,
    encoder: str | None,
    bars: Progress,
) -> Evidence:
    reading: TaskID = bars.add_task("read", total=None)
    if interactions is None and papers is None:
        if held_out or candidates or encoder:
            raise EvaluationError("--held-out, --candidates and --encoder need --interactions and --papers")
        return _read_live(read_settings())
    if interactions is None or papers is None:
        raise EvaluationError("give both --interactions and --papers, or neither for the live database")
    if held_out and split != "auto":
        raise EvaluationError("--held-out is a split of its own: leave --split out")
    evidence = evaluating.read_files(
        interactions,
        papers,
        held_out=held_out,
        candidates=candidates,
        report=lambda lines: bars.advance(reading, lines),
    )
    return evidence if encoder is None else _encoded(evidence, papers, encoder=encoder, bars=bars)


def _encoded(evidence: Evidence, papers: Path, *, encoder: str, bars: Progress) -> Evidence:
    """The same with sentence vectors, as `batch-recommend` keeps them beside the papers."""
    from api.cli.encoding import encode_papers

    task = bars.add_task("encode", total=None)
    found = encode_papers(
        evidence.texts,
        papers,
        encoder=encoder,
        report=lambda done, total: bars.update(task, completed=done, total=total),
    )
    return replace(evidence, texts=found.texts, encoder=found.encoder)


def _read_live(settings: Settings) -> Evidence:
    """The service's own history; nothing is created or changed."""
    url = settings.resolved_database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise EvaluationError(
            f"there is no database in {settings.data_dir}: set PAPERFEED_DATA_DIR, or give --interactions and --papers"
        )
    db = Database(url)
    try:
        with db.read() as session:
            return evaluating.load_live(session, settings)
    except sa.exc.DBAPIError as error:
        why = str(error.orig).partition("\n")[0]
        raise EvaluationError(f"the database cannot be read ({why}): see `paperfeed doctor`") from error
    finally:
        db.engine.dispose()


def _hand_out(result: evaluating.Result, json_out: Path | None, plot: Path | None) -> None:
    """The table on standard output, or on standard error where that carries JSON."""
    hybrid = result.document["models"].get(HYBRID, {"notes": []})  # a baseline lacks a part by intention
    for note in (*result.document["notes"], *hybrid["notes"]):
        click.echo(f"note: {note}", err=True)
    show(Console(stderr=json_out == STDOUT), figures_table(result.document))
    if json_out == STDOUT:
        click.echo(comparing.as_json(result.document).decode(), nl=False)
    elif json_out is not None:
        comparing.save_result(result, json_out)
    if plot is not None:
        plots.draw(result.document, plot)


def _compare(a_named: str, b_named: str, *, seed: int, json_out: Path | None) -> None:
    a, b = comparing.load_side(a_named), comparing.load_side(b_named)
    lines = comparing.compare(a, b, seed=seed)
    console = Console(stderr=json_out == STDOUT)
    show(console, comparison_table(a, b, lines))
    console.print(verdict_line(a, b, lines), markup=False, highlight=False, soft_wrap=True)
    document = comparing.as_json(comparing.comparison_document(a, b, lines))
    if json_out == STDOUT:
        click.echo(document.decode(), nl=False)
    elif json_out is not None:
        json_out.write_bytes(document)


def _check_outputs(json_out: Path | None, plot: Path | None) -> None:
    """What cannot be written is known before the fit, not after it."""
    if plot is not None and plot.suffix.lower() not in plots.SUFFIXES:
        raise EvaluationError(f"{plot}: a plot is a .png or .svg file")
    for out in (json_out, plot):
        if out not in (None, STDOUT) and not os.access(out if out.exists() else out.parent, os.W_OK):
            raise EvaluationError(f"{out}: cannot be written: give a path in a folder that exists")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What people can get wrong ends with 2 and one line."""
    try:
        yield
    except (EvaluationError, NothingToMeasureError, TableError) as error:
        _refuse(str(error))
    except BrokenPipeError:  # whoever reads the figures has enough: click ends quietly
        raise
    except OSError as error:  # the disk is full, or a folder went away during the fit
        click.echo(f"evaluate: {error.filename or 'the output'}: cannot be written: {error.strerror}", err=True)
        sys.exit(1)


def _refuse(message: str) -> NoReturn:
    click.echo(f"evaluate: {message}", err=True)
    sys.exit(EXIT_UNUSABLE_INPUT)
