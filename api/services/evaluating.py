"""Evaluation of rankers on files or on what the service has recorded."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.sentences import WORDS
from api.services.embedding import read_fit_texts
from api.services.judging import event_weights
from api.settings import Settings
from api.sources.tables import Codes, read_interactions, read_names, read_papers
from api.store import events
from recommender.contestants import HYBRID, MODELS, contestants
from recommender.dataset import WeightConfig
from recommender.domain import Ids, Interactions, PaperTexts
from recommender.hybrid import HybridConfig
from recommender.protocols import hide
from recommender.report import Contestant, evaluate, metric_names
from recommender.slices import MEANINGS, Protocol, Wanted, plan_given, plan_split
from recommender.splits import Likings, has_times

Progress: TypeAlias = Callable[[str, float], None]
Json: TypeAlias = dict[str, Any]
FORMAT: Final = "paperfeed-evaluation"
VERSION: Final = 1
LARGEST_TUNABLE: Final = 10**9


class EvaluationError(Exception):
    """An evaluation cannot be made or used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known: a log, texts, and the answers where a protocol brings its own."""

    interactions: Interactions
    texts: PaperTexts
    weights: WeightConfig
    reader_names: Sequence[str] | None = None  # by reader number; None where the number is the name
    held_out: Likings | None = None
    candidates: Ids | None = None
    encoder: str = WORDS  # of the sentence vectors of the texts
    notes: tuple[str, ...] = ()

    def names_of(self, reader_ids: Ids) -> NDArray[np.str_]:
        """How each reader is called outside."""
        if self.reader_names is None:
            return reader_ids.astype(np.str_)
        return np.array([self.reader_names[code] for code in reader_ids.tolist()], dtype=np.str_)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be measured, and how."""

    models: tuple[str, ...] = tuple(MODELS)
    slices: tuple[str, ...] = tuple(MEANINGS)
    config: HybridConfig = field(default_factory=HybridConfig)
    k: int = 20
    seed: int = 0
    split: Literal["auto", "temporal", "per-reader"] = "auto"
    readers: int | None = None  # most per slice


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured: a document as it is saved, and the values of every reader."""

    document: Json
    per_reader: dict[str, NDArray[np.generic]]  # see `reader_key` and `value_key`


def reader_key(part: str) -> str:
    """Under which the names of a slice's readers are kept."""
    return f"{part}/readers"


def value_key(model: str, part: str, metric: str) -> str:
    """Under which the values of a slice's readers are kept, in the order of their names."""
    return f"{part}/{model}/{metric}"


def read_files(
    interactions: Path,
    papers_file: Path,
    *,
    held_out: Sequence[Path] = (),
    candidates: Path | None = None,
    report: Callable[[int], None],
) -> Evidence:
    """The evidence of files; raises TableError for one that cannot be used."""
    paper_codes, user_codes = Codes(), Codes()
    texts = read_papers(papers_file, paper_codes, report=report)
    log = read_interactions(interactions, user_codes, paper_codes, report=report)
    if len(log) == 0:
        raise EvaluationError(f"{interactions} holds no interaction: nothing to learn from")
    answers = [read_interactions(path, user_codes, paper_codes, report=report) for path in held_out]
    among = None
    if candidates is not None:
        codes = [code for name in read_names(candidates) if (code := paper_codes.known(name)) is not None]
        if not codes:
            raise EvaluationError(f"{candidates} names no paper of the other files: nothing to rank")
        among = np.array(codes, dtype=np.int64)
    pairs = _pairs(answers) if held_out else None
    if pairs is not None and len(pairs) == 0:
        raise EvaluationError(f"{held_out[0]} holds no pair: nothing to find")
    return Evidence(log, texts, WeightConfig(), user_codes.names, pairs, among)


def load_live(session: Session, settings: Settings) -> Evidence:
    """The whole log and all papers of the service."""
    log = list(events.load_all_interactions(session, up_to_event_pk=events.newest_event_pk(session)))
    if not log:
        raise EvaluationError("nobody has done anything yet: load a history with `paperfeed import-events`")
    found = read_fit_texts(session, settings.sentence_encoder)  # as a retrain reads them
    notes = () if found.note is None else (found.note,)
    used = found.encoder or WORDS
    return Evidence(_concatenated(log), found.texts, event_weights(settings), encoder=used, notes=notes)


def plan(evidence: Evidence, question: Question) -> Protocol:
    """What is hidden and asked; raises NothingToMeasureError, or EvaluationError for a split the log cannot have."""
    wanted = Wanted(question.slices, question.readers, evidence.candidates, question.seed)
    if evidence.held_out is not None:
        return plan_given(
            evidence.interactions, evidence.texts, evidence.held_out, weights=evidence.weights, wanted=wanted
        )
    if question.split == "temporal" and not has_times(evidence.interactions):
        raise EvaluationError("a temporal split needs times on half of the events at least: use --split per-reader")
    hidden = hide(evidence.interactions, kind=question.split, weights=evidence.weights, seed=question.seed)
    return plan_split(hidden, evidence.texts, weights=evidence.weights, wanted=wanted)


def measure(evidence: Evidence, question: Question, *, progress: Progress) -> Result:
    """Fit every model, rank for every reader, and measure."""
    progress("split", 0.0)
    protocol = plan(evidence, question)
    found = evaluate(
        protocol,
        contestants(question.models, question.config, seed=question.seed),
        k=question.k,
        seed=question.seed,
        clock=time.perf_counter,
        progress=progress,
    )
    per_reader: dict[str, NDArray[np.generic]] = {}
    for trial in protocol.trials:
        for part in trial.slices:
            per_reader[reader_key(part.name)] = evidence.names_of(part.reader_ids)
    for model, contestant in found.items():
        for name, measured in contestant.slices.items():
            for metric, values in measured.per_reader.items():
                per_reader[value_key(model, name, metric)] = values.astype(np.float32)
    return Result(_document(evidence, question, protocol, found), per_reader)


def read_config(path: Path) -> HybridConfig:
    """The tunables of a JSON file; those it does not name keep their default."""
    try:
        stored = orjson.loads(path.read_bytes())
        if not isinstance(stored, dict):
            raise EvaluationError(f"{path}: a configuration is a JSON object of tunables")
        config = HybridConfig.from_json(stored)
        _check_range(config)
        return config
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise EvaluationError(f"{path}: {error}") from error


def _check_range(config: HybridConfig) -> None:
    """Raise ValueError where a tunable has no meaning: what may be left out may be 0, everything else is more."""
    for name, value in config.to_json().items():
        may_be_zero = name.endswith(("_weight", "_kernel", "_readers", "_per_reader")) or name == "num_threads"
        if not 0 <= value <= LARGEST_TUNABLE or (value == 0 and not may_be_zero):
            least = "from 0" if may_be_zero else "more than 0"
            raise ValueError(f"tunable {name} must be {least} and at most {LARGEST_TUNABLE:,}, not {value}")


def _document(evidence: Evidence, question: Question, protocol: Protocol, found: dict[str, Contestant]) -> Json:
    """The figures as they are saved."""
    slices: Json = {}
    for trial in protocol.trials:
        for part in trial.slices:
            names = "\n".join(evidence.names_of(part.reader_ids).tolist())
            fingerprint = hashlib.sha256(f"{trial.fingerprint(part)}\n{names}".encode()).hexdigest()
            slices[part.name] = {
                "meaning": MEANINGS[part.name],
                "readers": len(part.reader_ids),
                "held_out": part.pairs,
                "candidates": part.papers,
                "fingerprint": fingerprint,
            }
    return {
        "format": FORMAT,
        "version": VERSION,
        "split": protocol.kind,
        "k": question.k,
        "seed": question.seed,
        "encoder": evidence.encoder,
        "metrics": list(metric_names(question.k)),
        "data": {
            "events": len(evidence.interactions),
            "readers": len(np.unique(evidence.interactions.user_ids)),
            "papers": len(protocol.trials[0].dataset.papers),
        },
        "slices": {name: slices[name] for name in MEANINGS if name in slices},
        "models": {name: _model_of(name, contestant, question) for name, contestant in found.items()},
        "notes": [*evidence.notes, *protocol.notes],
        "per_reader": None,
    }


def _model_of(name: str, contestant: Contestant, question: Question) -> Json:
    slices = {
        part: {
            "seconds": round(measured.seconds, 3),
            "figures": {
                metric: {"mean": figure.mean, "low": figure.low, "high": figure.high}
                for metric, figure in measured.figures.items()
            },
        }
        for part, measured in sorted(contestant.slices.items(), key=lambda item: list(MEANINGS).index(item[0]))
    }
    shown: Json = {
        "meaning": MODELS[name],
        "fit_seconds": round(contestant.fit_seconds, 3),
        "notes": list(contestant.notes),
        "slices": slices,
    }
    return {**shown, "config": question.config.to_json()} if name == HYBRID else shown


def _pairs(parts: Sequence[Interactions]) -> Likings:
    log = _concatenated(parts)
    return Likings(log.user_ids, log.paper_ids, log.occurred_at)


def _concatenated(parts: Sequence[Interactions]) -> Interactions:
    return Interactions(
        np.concatenate([part.user_ids for part in parts]),
        np.concatenate([part.paper_ids for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.occurred_at for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
