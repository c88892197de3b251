"""Large files of lines, read on from any line."""

import gzip
from pathlib import Path

import pytest

from api.sources import archive
from api.sources.archive import Archive, CutOff, Line, fingerprint_of
from api.sources.framing import LONGEST_PIECE

LINES = [b'{"n": %d}\n' % n for n in range(2_000)]


@pytest.fixture(params=[False, True])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(b"".join(LINES)) if request.param else b"".join(LINES))
    return path


def read(path: Path, *, offset: int = 0, number: int = 0) -> list[Line]:
    with Archive(path) as found:
        return list(found.lines(offset=offset, number=number))


def test_lines_come_with_their_numbers_and_the_places_behind_them(file: Path) -> None:
    lines = read(file)
    assert [line.data for line in lines] == LINES
    assert [line.number for line in lines] == list(range(1, 2_001))
    assert (lines[0].end, lines[-1].end) == (len(LINES[0]), sum(map(len, LINES)))


@pytest.mark.parametrize("at", [0, 1, 777, 1_999, 2_000])
def test_reading_goes_on_behind_any_line(file: Path, at: int) -> None:
    offset = sum(map(len, LINES[:at]))
    assert read(file, offset=offset, number=at) == read(file)[at:]


def test_a_last_line_without_an_end_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo")
    assert [(line.number, line.data) for line in read(path)] == [(1, b"one\n"), (2, b"two")]


def test_a_line_without_an_end_in_sight_is_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"x" * (3 * LONGEST_PIECE + 5) + b"\ntwo\n")
    first, long, last = read(path)
    assert (first.data, last.data, last.number, last.end) == (b"one\n", b"two\n", 3, path.stat().st_size)
    assert long.problem is not None
    assert len(long.data) < LONGEST_PIECE


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data[:500] + b"\0" * 99 + data[599:]]
)
def test_a_compressed_file_that_is_cut_off_or_damaged_says_so(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    path = tmp_path / "lines.gz"
    path.write_bytes(damage(gzip.compress(b"".join(LINES))))
    with pytest.raises(CutOff, match="cut off or damaged"):
        read(path)


def test_a_compressed_file_that_ends_before_the_place_to_go_on_says_so(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(b"one\n"))
    with pytest.raises(CutOff):
        read(path, offset=100, number=3)


def test_a_fingerprint_tells_a_changed_file_from_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    content = bytes(range(256)) * (archive.SAMPLES * archive.SAMPLE_BYTES // 256 + 9)
    marks = set()
    for changed in (content, content[:-1], content[:-1] + b"?", b"?" + content[1:], content + b"x", b"", b"x"):
        path.write_bytes(changed)
        marks.add(fingerprint_of(path))
        assert fingerprint_of(path) in marks
    assert len(marks) == 7
