"""Sentence vectors for the papers of a file: kept beside it, made for texts that have none there."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
import numpy as np

from api.runtime.embedding import check_dim
from api.runtime.encoders import EncoderError, EncoderProcess, open_encoder
from api.sentences import WORDS, encoder_key, sentence_text, text_hash
from api.settings import read_settings
from api.sources.vector_file import KeptVectors, VectorFileError, read_vectors, vector_path, write_vectors
from recommender.domain import PaperTexts

TEXTS_PER_PART: Final = 512
SECONDS_PER_WRITE: Final = 20.0  # a run that is killed loses no more than this

Report = Callable[[int, int], None]  # texts encoded, texts to encode


@dataclass(frozen=True, slots=True)
class EncodedPapers:
    """Papers with their vectors, and what that took."""

    texts: PaperTexts
    encoder: str  # `words` without vectors
    seconds: float


def encode_papers(texts: PaperTexts, papers: Path, *, encoder: str, report: Report) -> EncodedPapers:
    """Return the papers with the encoder's vectors; where it cannot be used, that is said and words go on alone."""
    started = time.perf_counter()
    name = encoder_key(encoder)
    try:
        found = _with_vectors(texts, papers, name, report) if name else texts
    except EncoderError as error:
        click.echo(f"batch-recommend: {error}; going on with words alone", err=True)
        found = texts
    used = name if found.vectors is not None else WORDS
    return EncodedPapers(found, used, round(time.perf_counter() - started, 3))


def _with_vectors(texts: PaperTexts, papers: Path, name: str, report: Report) -> PaperTexts:
    sentences = [sentence_text(title, summary) for title, summary in zip(texts.titles, texts.summaries, strict=True)]
    hashes = np.array([text_hash(sentence) if sentence else "" for sentence in sentences], dtype="S32")
    path = vector_path(papers, name)
    kept = _read(path)
    wanted = {mark: text for mark, text in zip(hashes.tolist(), sentences, strict=True) if text}
    if _missing(wanted, kept):
        kept = _completed(kept, wanted, path, name, report)
    rows = kept.rows_of(hashes)
    vectors = np.zeros((len(texts), kept.vectors.shape[1]), dtype=np.float16)
    vectors[rows >= 0] = kept.vectors[rows[rows >= 0]]
    return replace(texts, vectors=vectors if vectors.shape[1] else None)


def _completed(kept: KeptVectors, wanted: dict[bytes, str], path: Path, name: str, report: Report) -> KeptVectors:
    """Encode what is missing, the longest texts first, and keep it as it comes."""
    settings = read_settings()
    with open_encoder(name, batch=settings.encoder_batch, threads=settings.encoder_threads) as opened:
        kept = _fitting(kept, opened, path)
        ordered = sorted(_missing(wanted, kept).items(), key=lambda item: len(item[1]), reverse=True)
        written_at, is_writable = time.monotonic(), True
        for start in range(0, len(ordered), TEXTS_PER_PART):
            hashes, sentences = zip(*ordered[start : start + TEXTS_PER_PART], strict=True)
            kept = kept.joined(np.array(hashes, dtype="S32"), opened.encode(sentences))
            done = start + len(hashes)
            report(done, len(ordered))
            if is_writable and (done == len(ordered) or time.monotonic() - written_at > SECONDS_PER_WRITE):
                is_writable, written_at = _write(path, kept), time.monotonic()
    return kept


def _missing(wanted: dict[bytes, str], kept: KeptVectors) -> dict[bytes, str]:
    rows = kept.rows_of(np.array(list(wanted), dtype="S32"))
    return {mark: text for (mark, text), row in zip(wanted.items(), rows.tolist(), strict=True) if row < 0}


def _fitting(kept: KeptVectors, opened: EncoderProcess, path: Path) -> KeptVectors:
    """What was kept, unless another model wrote it under the same name."""
    try:
        check_dim(opened, stored=kept.vectors.shape[1] or None)
    except EncoderError as error:
        click.echo(f"batch-recommend: {path}: {error.reason}; all texts are encoded anew", err=True)
        return KeptVectors.none()
    return kept


def _read(path: Path) -> KeptVectors:
    try:
        return read_vectors(path)
    except VectorFileError as error:
        click.echo(f"batch-recommend: {error}; its vectors are made anew", err=True)
        return KeptVectors.none()


def _write(path: Path, kept: KeptVectors) -> bool:
    try:
        write_vectors(path, kept)
    except VectorFileError as error:
        click.echo(f"batch-recommend: {error}; the next run will encode these texts again", err=True)
        return False
    return True
