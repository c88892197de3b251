"""Vectors in a file beside the papers."""

from pathlib import Path

import numpy as np
import pytest

from api.sentences import text_hash
from api.sources.vector_file import KeptVectors, VectorFileError, read_vectors, vector_path, write_vectors


def kept(words: str, dim: int = 4) -> KeptVectors:
    hashes = np.sort(np.array([text_hash(word) for word in words.split()], dtype="S32"))
    return KeptVectors(hashes, np.random.default_rng(0).standard_normal((len(hashes), dim)).astype(np.float16))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = vector_path(tmp_path / "papers.jsonl", "all-MiniLM-L6-v2")
    assert path.name == "papers.jsonl.all-MiniLM-L6-v2.npz"
    assert len(read_vectors(path).hashes) == 0
    write_vectors(path, kept("a b c"))
    np.testing.assert_array_equal(read_vectors(path).vectors, kept("a b c").vectors)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_name_with_slashes_stays_one_file_in_the_folder(tmp_path: Path) -> None:
    for name in ("allenai/specter2_base", "/models/../my model/", "x" * 500):
        path = vector_path(tmp_path / "P.jsonl", name)
        assert path.parent == tmp_path
        write_vectors(path, kept("a"))


def test_rows_are_found_by_text_also_after_more_are_joined() -> None:
    first, second = kept("a b c"), kept("d e")
    both = first.joined(second.hashes, second.vectors)
    wanted = np.array([text_hash(word) for word in ("e", "nowhere", "a")], dtype="S32")
    rows = both.rows_of(wanted)
    assert rows[1] == -1
    np.testing.assert_array_equal(both.vectors[rows[0]], second.vectors[second.rows_of(wanted[:1])[0]])
    np.testing.assert_array_equal(both.vectors[rows[2]], first.vectors[first.rows_of(wanted[2:])[0]])
    assert KeptVectors.none().rows_of(wanted).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "unsorted", "infinite", "misfit"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "v.npz"
    good = kept("a b c")
    write_vectors(path, good)
    if damage in {"text", "cut", "empty"}:
        data = path.read_bytes()
        path.write_bytes({"text": b"not a zip", "cut": data[: len(data) // 2], "empty": b""}[damage])
    elif damage == "unsorted":
        write_vectors(path, KeptVectors(good.hashes[::-1], good.vectors))
    elif damage == "infinite":
        write_vectors(path, KeptVectors(good.hashes, np.full_like(good.vectors, np.inf)))
    else:
        write_vectors(path, KeptVectors(good.hashes[:2], good.vectors))
    with pytest.raises(VectorFileError, match=r"v\.npz"):
        read_vectors(path)


def test_a_folder_that_takes_no_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(VectorFileError, match="cannot be written"):
        write_vectors(tmp_path / "missing" / "v.npz", kept("a"))
