"""Interaction tables and paper files of the batch commands: lines in, arrays with dense codes out."""

import csv
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from recommender.domain import EventKind, Interactions, PaperTexts

REQUIRED: Final = ("user_id", "paper_id")
OPTIONAL: Final = ("kind", "occurred_at", "value")
LINES_PER_REPORT: Final = 10_000
LATEST_TIME: Final = 253_402_300_799.0  # epoch seconds at the end of the year 9999
KINDS: Final = {kind.name.lower(): int(kind) for kind in EventKind}
Report = Callable[[int], None]


class TableError(Exception):
    """A file cannot be used; says which line and why."""

    def __init__(self, file: Path, reason: str, *, line: int | None = None) -> None:
        where = f"{file}" if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.file = file
        self.line = line


@dataclass(slots=True)
class Codes:
    """Names with the dense number each got when it was first seen."""

    names: list[str] = field(default_factory=list)
    _code_of: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> int:
        """The number of a name, a new one if it has none."""
        code = self._code_of.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code

    def known(self, name: str) -> int | None:
        """The number of a name that was seen."""
        return self._code_of.get(name)


def read_papers(path: Path, papers: Codes, *, report: Report) -> PaperTexts:
    """The papers of a JSON-lines file, coded in file order; the last line of a repeated id counts."""
    rows: dict[int, tuple[str, str, str, float]] = {}
    for number, line in _lines(path, report):
        try:
            rows.update([_paper(orjson.loads(line), papers)])
        except (ValueError, TypeError) as error:
            raise TableError(path, str(error), line=number) from error
    columns = list(zip(*rows.values(), strict=True)) or [(), (), (), ()]
    titles, summaries, keywords, published = columns
    ids = np.fromiter(rows, dtype=np.int64, count=len(rows))
    return PaperTexts(ids, list(titles), list(summaries), list(keywords), np.asarray(published, dtype=np.float64))


def read_categories(path: Path, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The categories of the named papers, () for one without; the file is one that `read_papers` has read."""
    found: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(path, _unheard):
        stored = orjson.loads(line)
        try:
            found[str(stored["id"])] = _names(stored.get("categories"))
        except TypeError as error:
            raise TableError(path, str(error), line=number) from error
    return [found.get(name, ()) for name in names]


def read_interactions(path: Path, users: Codes, papers: Codes, *, report: Report) -> Interactions:
    """The events of a CSV file with a header, in file order; a missing kind is a save."""
    user_codes, paper_codes, kinds = array("q"), array("q"), array("B")
    times, values = array("d"), array("f")
    for number, row in _rows(path, report):
        try:
            user_id, paper_id, kind, occurred_at, value = row
            kinds.append(_kind(kind))
            times.append(parse_time(occurred_at))
            values.append(_value(value))
        except ValueError as error:
            raise TableError(path, str(error), line=number) from error
        user_codes.append(users.code(user_id))
        paper_codes.append(papers.code(paper_id))
    return Interactions(
        np.array(user_codes, dtype=np.int64),
        np.array(paper_codes, dtype=np.int64),
        np.array(kinds, dtype=np.uint8),
        np.array(times, dtype=np.float64),
        np.array(values, dtype=np.float32),
    )


def _value(text: str | None) -> float:
    value = float(text) if text else float("nan")
    if math.isinf(value):
        raise ValueError(f"{text!r} is no value")
    return value


def read_names(path: Path) -> list[str]:
    """The ids of a text file, one per line, each once, in file order."""
    try:
        names = [line.decode() for _, line in _lines(path, _unheard)]
    except UnicodeDecodeError as error:
        raise TableError(path, "is not UTF-8") from error
    return list(dict.fromkeys(names))


def _epoch_seconds(seconds: float) -> float:
    if abs(seconds) > LATEST_TIME:
        raise ValueError(f"{seconds:g} is no time: epoch seconds end with the year 9999")
    return seconds


def parse_time(text: object) -> float:
    """Epoch seconds of an ISO 8601 time (UTC where it says nothing) or of a number; NaN for nothing."""
    if text is None or text == "":
        return float("nan")
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _epoch_seconds(float(text))
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no time")
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return _epoch_seconds(seconds)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: give ISO 8601 or epoch seconds") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _paper(stored: object, papers: Codes) -> tuple[int, tuple[str, str, str, float]]:
    if not isinstance(stored, dict):
        raise TypeError("a paper is a JSON object")
    paper_id = stored.get("id")
    if isinstance(paper_id, int) and not isinstance(paper_id, bool):
        paper_id = str(paper_id)
    if not isinstance(paper_id, str) or not paper_id:
        raise ValueError("a paper needs an `id`, a string that is not empty")
    texts = (_text(stored.get(name), name) for name in ("title", "summary", "keywords"))
    return papers.code(paper_id), (*texts, parse_time(stored.get("published_at")))  # type: ignore[return-value]


def _names(value: object) -> tuple[str, ...]:
    """A list of names, or a text of names with spaces between them as arXiv writes it."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    if value is None or isinstance(value, str):
        return tuple((value or "").split())
    raise TypeError("`categories` must be a list of names")


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " ".join(value)
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be text")
    return value


def _kind(name: str) -> int:
    if not name:
        return int(EventKind.SAVE)
    if name not in KINDS:
        raise ValueError(f"unknown kind {name!r}: known are {', '.join(KINDS)}")
    return KINDS[name]


def _rows(path: Path, report: Report) -> Iterator[tuple[int, tuple[str, str, str, str, str]]]:
    """Line number and the five columns of each data line; absent columns are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            places = _places(path, [name.strip() for name in header])
            width = len(header)
            for row in reader:
                if not row:
                    continue
                if len(row) != width:
                    raise TableError(path, f"{len(row)} fields instead of {width}", line=reader.line_num)
                picked = [row[at] if at is not None else "" for at in places]
                if not picked[0] or not picked[1]:
                    raise TableError(path, "user_id and paper_id must not be empty", line=reader.line_num)
                if reader.line_num % LINES_PER_REPORT == 0:
                    report(LINES_PER_REPORT)
                yield reader.line_num, (picked[0], picked[1], picked[2], picked[3], picked[4])
    except OSError as error:
        raise TableError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TableError(path, "is not UTF-8") from error
    except csv.Error as error:
        raise TableError(path, f"is no CSV: {error}", line=reader.line_num) from error


def _places(path: Path, header: list[str]) -> list[int | None]:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        expected = "user_id,paper_id[,kind][,occurred_at][,value]"
        raise TableError(path, f"the header lacks {' and '.join(missing)}: expected {expected}", line=1)
    return [header.index(name) if name in header else None for name in (*REQUIRED, *OPTIONAL)]


def _lines(path: Path, report: Report) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number % LINES_PER_REPORT == 0:
                    report(LINES_PER_REPORT)
                stripped = line.strip()
                if stripped:
                    yield number, stripped
    except OSError as error:
        raise TableError(path, f"cannot be read: {error.strerror}") from error


def _unheard(_lines: int) -> None:
    return None
