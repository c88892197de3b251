"""What `make test` does with tests that fail: one more look, alone, and never at many."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "deploy" / "tests.sh"
UNSTEADY = """
from pathlib import Path

def test_sound():
    pass

def test_unsteady():
    seen = Path("seen")
    was_seen = seen.exists()
    seen.touch()
    assert was_seen
"""
BROKEN = """
def test_broken():
    assert False
"""
MANY = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_many(number):
    from pathlib import Path
    seen = Path(f"seen-{number}")
    was_seen = seen.exists()
    seen.touch()
    assert was_seen
"""


def run(folder: Path, tests: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [str(SCRIPT), sys.executable, "some", *arguments, "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_passes_alone_is_named_and_holds_up_nobody(tmp_path: Path, workers: str) -> None:
    answer = run(tmp_path, UNSTEADY, "-n", workers)
    assert answer.returncode == 0
    told = answer.stdout.partition("UNSTEADY")[2]
    assert "test_it.py::test_unsteady" in told
    assert "test_sound" not in told


def test_what_fails_twice_is_broken(tmp_path: Path) -> None:
    answer = run(tmp_path, UNSTEADY + BROKEN, "-n", "0")
    assert answer.returncode == 1
    assert "UNSTEADY" not in answer.stdout


def test_many_failures_are_not_looked_at_again(tmp_path: Path) -> None:
    answer = run(tmp_path, MANY, "-n", "0")
    assert answer.returncode == 1
    assert "once more" not in answer.stdout


def test_what_did_not_run_is_no_success(tmp_path: Path) -> None:
    assert run(tmp_path, UNSTEADY, "-n", "0", "-k", "nothing").returncode == 5
    assert run(tmp_path, "import nothing_of_this_name", "-n", "0").returncode not in {0, 1}
