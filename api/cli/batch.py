"""`paperfeed batch-recommend`: files in, ranked lists out, without database or Redis."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click
import numpy as np
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.cli.batch_policy import FilePolicy, Plan, read_plan
from api.cli.encoding import EncodedPapers, encode_papers
from api.sources.tables import Codes, TableError, read_interactions, read_names, read_papers
from recommender.baselines import Popularity
from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Csr, Ids, Interactions, PaperTexts, RankedList
from recommender.hybrid import Hybrid, HybridConfig
from recommender.sparse import as_csr, from_lists, row_sizes, rows_of

EXIT_UNUSABLE_INPUT = 2
READERS_PER_CHUNK = 4096
SCORE_DIGITS = 6
MEGABYTE_KB = 1024


@dataclass(frozen=True, slots=True)
class _Input:
    """The files, read: names and what was fitted from."""

    dataset: Dataset
    now: float
    papers: list[str]
    readers: list[tuple[str, int | None]]  # name, code where the interactions know it
    candidates: Ids | None
    encoder: str
    encode_seconds: float


@dataclass(frozen=True, slots=True)
class _Bars:
    """Progress on stderr in a terminal, silence elsewhere."""

    progress: Progress

    def start(self, name: str, total: float | None = None) -> TaskID:
        return self.progress.add_task(name, total=total)


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("batch-recommend")
@click.option("--interactions", type=_FILE, required=True, help="CSV: user_id,paper_id[,kind][,occurred_at].")
@click.option("--papers", type=_FILE, required=True, help="JSON lines: id, title?, summary?, keywords?, ...")
@click.option("--users", type=_FILE, help="Readers to rank for, one id per line; all when not given.")
@click.option("--candidates", type=_FILE, help="Rank only these papers, one id per line.")
@click.option("-k", "k", type=click.IntRange(min=1), default=100, show_default=True, help="Length of a list.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), required=True)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same lists.")
@click.option("--encoder", metavar="NAME", default="words", show_default=True, help="Sentence encoder beside words.")
@click.option(
    "--memory-budget-mb",
    type=click.FloatRange(min=1),
    default=HybridConfig().memory_budget_mb,
    show_default=True,
    help="Without item weights where they would take more.",
)
@click.option("--policy", is_flag=True, help="Re-rank as the settings of the service say.")
def command(
    *,
    interactions: Path,
    papers: Path,
    users: Path | None,
    candidates: Path | None,
    k: int,
    out: Path,
    seed: int,
    encoder: str,
    memory_budget_mb: float,
    policy: bool,
) -> None:
    """Fit on files and write one ranked list per reader as JSON lines."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bars = _Bars(progress)
        try:
            _check_writable(out)
            read = _read(interactions, papers, users, candidates, encoder=encoder, bars=bars)
            plan = read_plan(papers, read.papers) if policy else None
        except TableError as error:
            progress.stop()
            click.echo(f"batch-recommend: {error}", err=True)
            sys.exit(EXIT_UNUSABLE_INPUT)
    config = HybridConfig(memory_budget_mb=memory_budget_mb)
    try:
        figures = _run(read, out, config, k=k, seed=seed, plan=plan, bars=bars)
    except BrokenPipeError:  # whoever reads the lists has enough: click ends quietly
        raise
    except OSError as error:
        click.echo(f"batch-recommend: {out}: cannot be written: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(orjson.dumps(figures).decode(), err=True)


def _run(
    read: _Input, out: Path, config: HybridConfig, *, k: int, seed: int, plan: Plan | None, bars: _Bars
) -> dict[str, object]:
    """Fit, rank, write; the figures of the last line."""
    started = time.perf_counter()
    fitting = bars.start("fit", 1.0)
    model = Hybrid.fit(
        read.dataset,
        config,
        seed=seed,
        progress=lambda stage, done: bars.progress.update(fitting, completed=done, description=f"fit: {stage}"),
    )
    fitted = time.perf_counter()
    for note in model.notes:
        click.echo(f"note: {note}", err=True)
    ranking = bars.start("rank", len(read.readers))
    written = 0
    policy = None
    if plan is not None:
        policy = FilePolicy.of(plan, model, read.dataset, now=read.now, seed=seed, candidates=read.candidates)
    with click.open_file(str(out), "wb") as file:
        for names, lists in _ranked(model, read, policy, k=k):
            _write(file, names, lists, read.papers)
            written += len(names)
            bars.progress.update(ranking, completed=written)
    return {
        "fit_seconds": round(fitted - started, 3),
        "encode_seconds": read.encode_seconds,
        "scoring_seconds": round(time.perf_counter() - fitted, 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE_KB, 1),
        "readers": written,
        "papers": len(read.papers),
        "pairs": int(read.dataset.user_items.nnz),
        "seed": seed,
        "encoder": read.encoder,
    }


def _read(
    interactions: Path, papers: Path, users: Path | None, candidates: Path | None, *, encoder: str, bars: _Bars
) -> _Input:
    """All files; raises TableError for one that is missing, malformed or leaves nothing to rank."""
    paper_codes, user_codes = Codes(), Codes()
    reading = bars.start("read")
    texts = read_papers(papers, paper_codes, report=lambda lines: bars.progress.advance(reading, lines))
    events = read_interactions(
        interactions, user_codes, paper_codes, report=lambda lines: bars.progress.advance(reading, lines)
    )
    if len(events) == 0 and len(texts) == 0:
        raise TableError(papers, f"holds no paper, and {interactions} no interaction: nothing to rank")
    wanted = list(user_codes.names) if users is None else read_names(users)
    if not wanted:
        empty = interactions if users is None else users
        raise TableError(empty, "names no reader: nobody to rank for (see --users)")
    among = None if candidates is None else _candidate_codes(candidates, paper_codes)
    now = _last_time(events)
    encoded = _encode(texts, papers, encoder=encoder, bars=bars)
    dataset = build_dataset(events, encoded.texts, now=now, weights=WeightConfig())
    readers = [(name, user_codes.known(name)) for name in wanted]
    return _Input(dataset, now, paper_codes.names, readers, among, encoded.encoder, encoded.seconds)


def _encode(texts: PaperTexts, papers: Path, *, encoder: str, bars: _Bars) -> EncodedPapers:
    shown: list[TaskID] = []

    def report(done: int, total: int) -> None:
        shown.extend([] if shown else [bars.start("encode", total)])
        bars.progress.update(shown[0], completed=done)

    return encode_papers(texts, papers, encoder=encoder, report=report)


def _check_writable(out: Path) -> None:
    """Raise TableError where no file can be written: known before the fit, not after it."""
    if str(out) != "-" and not os.access(out if out.exists() else out.parent, os.W_OK):
        raise TableError(out, "cannot be written: give a path in a folder that exists")


def _candidate_codes(path: Path, papers: Codes) -> Ids:
    names = read_names(path)
    codes = [code for name in names if (code := papers.known(name)) is not None]
    if not codes:
        raise TableError(path, "names no paper of the other two files: nothing to rank")
    return np.array(codes, dtype=np.int64)


def _last_time(events: Interactions) -> float:
    """The clock of the run: the last known event, so that the same files give the same lists on any day."""
    timed = events.occurred_at[~np.isnan(events.occurred_at)]
    return float(timed.max()) if len(timed) else 0.0


def _ranked(
    model: Hybrid, read: _Input, policy: FilePolicy | None, *, k: int
) -> Iterator[tuple[list[str], list[RankedList]]]:
    """Names and lists, chunk by chunk, in the order the readers were named."""
    crowd = Popularity.fit(read.dataset)
    depth = k if policy is None else policy.depth(k)
    for start in range(0, len(read.readers), READERS_PER_CHUNK):
        chunk = read.readers[start : start + READERS_PER_CHUNK]
        liked, disliked = (_rows_for(read, chunk, of) for of in ("user_items", "dislikes"))
        without = np.flatnonzero(row_sizes(liked) == 0)
        blocks = model.recommend_users(liked, k=depth, exclude=disliked, candidates=read.candidates)
        lists = [ranked for block in blocks for ranked in block]
        # A reader without history gets what is popular: a list ends only when candidates run out.
        popular = crowd.recommend_users(
            rows_of(liked, without), k=depth, exclude=rows_of(disliked, without), candidates=read.candidates
        )
        for at, ranked in zip(without, (ranked for block in popular for ranked in block), strict=True):
            lists[at] = ranked
        if policy is not None:
            lists = policy.arrange(lists, liked, disliked, k=k, first=start)
        yield [name for name, _ in chunk], lists


def _rows_for(read: _Input, chunk: list[tuple[str, int | None]], of: str) -> Csr:
    """(readers of the chunk, papers) from the dataset; a reader it does not know has an empty row."""
    matrix: Csr = getattr(read.dataset, of)
    codes = np.array([-1 if code is None else code for _, code in chunk], dtype=np.int64)
    rows = read.dataset.users.rows(codes)
    known = np.flatnonzero(rows >= 0)
    places = [np.array([at]) if row >= 0 else np.empty(0, np.int64) for at, row in enumerate(rows)]
    spread = from_lists([np.searchsorted(known, at) for at in places], None, len(known))
    return as_csr(spread @ rows_of(matrix, rows[known]))


def _write(file: IO[bytes], names: list[str], lists: list[RankedList], papers: list[str]) -> None:
    for name, ranked in zip(names, lists, strict=True):
        ids = [papers[code] for code in ranked.paper_ids.tolist()]
        scores = np.round(ranked.scores.astype(np.float64), SCORE_DIGITS).tolist()
        line = {"user_id": name, "papers": ids, "scores": scores}
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
