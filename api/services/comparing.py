"""Saved evaluations: writing them down, reading them back, and saying which of two models is better."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from api.services.evaluating import FORMAT, VERSION, EvaluationError, Json, Result, reader_key, value_key
from recommender.contestants import HYBRID
from recommender.metrics import Difference, paired_tests

Verdict: TypeAlias = Literal["better", "worse", "higher", "lower", "tie"]
COMPARISON: Final = "paperfeed-comparison"
MATTERS_OF_TASTE: Final = ("novelty", "diversity")  # more of them is not better in itself
SIDE_SUFFIX: Final = ".readers.npz"


@dataclass(frozen=True, slots=True)
class Side:
    """One model of a saved evaluation."""

    path: Path
    model: str
    document: Json
    per_reader: Mapping[str, NDArray[np.generic]]

    @property
    def name(self) -> str:
        """How the side is shown."""
        return f"{self.path}:{self.model}"


@dataclass(frozen=True, slots=True)
class Line:
    """One metric on one slice for both sides."""

    part: str
    metric: str
    readers: int
    a: float
    b: float
    difference: Difference  # a - b
    verdict: Verdict  # of the first side


def side_file(path: Path) -> Path:
    """Where the values of every reader lie, beside the document."""
    return path.with_name(path.stem + SIDE_SUFFIX)


def save_result(result: Result, path: Path) -> None:
    """Write the document, and the values of every reader into a file beside it."""
    beside = side_file(path)
    with beside.open("wb") as file:
        np.savez_compressed(file, **result.per_reader)  # type: ignore[arg-type]  # the stubs take names for options
    digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    document = {**result.document, "per_reader": {"file": beside.name, "sha256": digest}}
    path.write_bytes(as_json(document))


def as_json(document: Mapping[str, object]) -> bytes:
    """A document as it is written down."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def load_side(named: str) -> Side:
    """One side of a comparison, `FILE` or `FILE:MODEL`; the hybrid, or the only model, where none is named."""
    path, _, wanted = (named, "", "") if Path(named).exists() else named.rpartition(":")
    path, wanted = (path, wanted) if path else (named, "")
    document = _load_document(Path(path))
    models = list(document["models"])
    model = wanted or (HYBRID if HYBRID in models else models[0] if len(models) == 1 else "")
    if model not in models:
        asked = f"has no model {wanted}" if wanted else "holds several models"
        raise EvaluationError(f"{path} {asked}: name one of {', '.join(models)}, as in {path}:{models[0]}")
    return Side(Path(path), model, document, _load_values(Path(path), document))


def compare(a: Side, b: Side, *, seed: int) -> list[Line]:
    """Every metric of every slice that both were measured on; raises EvaluationError where the data differ."""
    parts = [name for name in a.document["slices"] if name in b.document["slices"]]
    metrics = [name for name in a.document["metrics"] if name in b.document["metrics"]]
    if not parts or not metrics:
        raise EvaluationError(f"{a.path} and {b.path} have no slice and metric in common: same --slices and --k?")
    for part in parts:
        fingerprints = [side.document["slices"][part]["fingerprint"] for side in (a, b)]
        if fingerprints[0] != fingerprints[1]:
            raise EvaluationError(
                f"{a.path} and {b.path} were measured on different data (slice {part}, fingerprints "
                f"{fingerprints[0][:12]} and {fingerprints[1][:12]}): evaluate both on the same files or the same "
                "state of the database, with the same --split, --seed, --readers and --candidates"
            )
    return [line for part in parts for line in _lines(part, metrics, a, b, seed=seed)]


def comparison_document(a: Side, b: Side, lines: list[Line]) -> Json:
    """A comparison as it is saved."""
    return {
        "format": COMPARISON,
        "version": VERSION,
        "a": {"file": str(a.path), "model": a.model},
        "b": {"file": str(b.path), "model": b.model},
        "lines": [asdict(line) for line in lines],
    }


def _lines(part: str, metrics: list[str], a: Side, b: Side, *, seed: int) -> list[Line]:
    keys = {name: (value_key(a.model, part, name), value_key(b.model, part, name)) for name in metrics}
    usable = [name for name, (of_a, of_b) in keys.items() if of_a in a.per_reader and of_b in b.per_reader]
    # Readers stand in the same order on both sides: the fingerprint covers their names.
    values_a = np.stack([a.per_reader[keys[name][0]].astype(np.float64) for name in usable], axis=1)
    values_b = np.stack([b.per_reader[keys[name][1]].astype(np.float64) for name in usable], axis=1)
    differences = paired_tests(values_a, values_b, seed=seed)
    return [
        Line(
            part,
            name,
            len(values_a),
            float(values_a[:, at].mean()),
            float(values_b[:, at].mean()),
            differences[at],
            _verdict(name, differences[at]),
        )
        for at, name in enumerate(usable)
    ]


def _verdict(metric: str, difference: Difference) -> Verdict:
    """Of the first side: a tie where 0 lies in the interval."""
    up, down = difference.interval.low > 0, difference.interval.high < 0
    if not up and not down:
        return "tie"
    if metric.partition("@")[0] in MATTERS_OF_TASTE:
        return "higher" if up else "lower"
    return "better" if up else "worse"


def _load_document(path: Path) -> Json:
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise EvaluationError(f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT or document.get("version") != VERSION:
        raise EvaluationError(f"{path}: is not what `paperfeed evaluate --json FILE` of this version writes")
    return document


def _load_values(path: Path, document: Json) -> Mapping[str, NDArray[np.generic]]:
    kept = document["per_reader"]
    if kept is None:
        raise EvaluationError(f"{path}: lacks the values of every reader: save it with --json FILE, not to a pipe")
    beside = path.with_name(kept["file"])
    try:
        digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    except OSError as error:
        raise EvaluationError(f"{beside}: cannot be read: {error.strerror}; it belongs to {path}") from error
    if digest != kept["sha256"]:
        raise EvaluationError(f"{beside}: does not belong to {path}: evaluate again")
    with np.load(beside, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if not name.endswith(reader_key(""))}
