"""The two commands of the README, as far as they can be shown without installing anything."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CPU_TORCH = "--only-binary torch torch==2.13.0+cpu"
HUB_CLIENTS = ("hub-newest", "hub-1", "hub-0")
OLD_PYTHON = '#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit 0\nexit 1\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the installation reads."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("deploy", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def fake_programs(folder: Path, **scripts: str) -> str:
    """Return a PATH where these programs come first and the machine's Pythons are hidden."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    for name in ("sh", "cat", "cksum", "dirname", "grep", "rm", "make"):
        (folder / name).symlink_to(shutil.which(name) or "")
    return str(folder)


def test_a_too_old_python_is_one_line_that_says_what_to_do(checkout: Path) -> None:
    answer = make(checkout, "install", PATH=fake_programs(checkout / "bin", python3=OLD_PYTHON), PYTHON="")
    assert answer.returncode != 0
    said = [line for line in answer.stderr.splitlines() if line.startswith("paperfeed:")]
    assert said == [
        "paperfeed: Python 3.11 or 3.12 is needed, python3 here is Python 3.9.2: "
        "install one, or name it with make PYTHON=/path/to/python3.12"
    ]
    assert not (checkout / ".venv").exists()


def test_a_missing_venv_module_is_one_line_that_says_what_to_do(checkout: Path) -> None:
    no_venv = '#!/bin/sh\n[ "$1" = -m ] && exit 1\nexit 0\n'
    answer = make(checkout, "install", PATH=fake_programs(checkout / "bin", python3=no_venv), PYTHON="")
    assert answer.returncode != 0
    assert "install its venv module (Debian, Ubuntu: apt install python3-venv)" in answer.stderr


def test_a_finished_installation_is_not_repeated(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (checkout / ".venv" / "bin" / "python").chmod(0o755)
    fingerprint = "$(cat requirements/runtime.txt requirements/bootstrap.txt pyproject.toml | cksum) $(pwd)"
    note = f'printf %s "{fingerprint}" > .venv/.installed-runtime'
    subprocess.run(["sh", "-c", note], cwd=checkout, check=True)
    assert make(checkout, "install").returncode == 0
    (checkout / "requirements" / "runtime.txt").write_text("changed")
    assert make(checkout, "install", PYTHON="/nonexistent").returncode != 0


def test_every_locked_package_has_hashes() -> None:
    for name in ("runtime", "dev", "bootstrap", *HUB_CLIENTS):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        requirements = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
        assert requirements
        assert [entry.splitlines()[0] for entry in requirements if "--hash=sha256:" not in entry] == []


def test_the_verdict_runs_all_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    plan = make(ROOT, "-n", "test").stdout
    for step in (
        "ruff format --check",
        "ruff check",
        "mypy",
        "lint-imports",
        'deploy/tests.sh .venv/bin/python fast -n auto -m "not (',
        "deploy/tests.sh .venv/bin/python processes -n 0",
        "deploy/tests.sh .venv/bin/python long -n 0",
    ):
        assert step in plan


def test_the_sentence_encoder_is_installed_by_pip_with_the_torch_that_is_named(checkout: Path) -> None:
    python = checkout / ".venv-embeddings" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >> asked.txt\n')
    python.chmod(0o755)
    for torch in ("torch==2.9.9", "torch==2.9.9", "./torch-2.8.0.whl", ""):
        environment = {**os.environ, "TORCH": torch}
        subprocess.run(["sh", "deploy/embeddings.sh", "runtime"], cwd=checkout, env=environment, check=True)
    asked = (checkout / "asked.txt").read_text().splitlines()
    installs = [line.split("install --quiet ")[1] for line in asked if "install --quiet" in line]
    last = "-r requirements/embeddings.txt"
    first = [line for line in installs if "torch" in line and last not in line]
    assert first == ["torch==2.9.9", "./torch-2.8.0.whl", CPU_TORCH if sys.platform == "linux" else "torch==2.13.0"]
    assert [line for line in installs if last in line] == [
        f"torch==2.9.9 {last}",
        f"./torch-2.8.0.whl {last}",
        f"torch==2.13.0 {last}",
    ]
    assert installs.count("--require-hashes -r requirements/runtime.txt") == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch has no CUDA build")
def test_a_cuda_build_of_torch_is_never_taken_by_accident(checkout: Path) -> None:
    python = checkout / ".venv-embeddings" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >> asked.txt\ncase "$*" in *torch*) exit 1 ;; esac\n')
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "TORCH"}
    run = subprocess.run(
        ["sh", "deploy/embeddings.sh", "runtime"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "make embeddings TORCH=" in run.stderr
    asked = [line for line in (checkout / "asked.txt").read_text().splitlines() if "torch" in line]
    assert len(asked) == 1
    assert asked[0].endswith("torch==2.13.0+cpu")


@pytest.mark.parametrize("fails", [False, True])
def test_each_client_of_the_papers_api_has_an_environment_of_its_own(checkout: Path, *, fails: bool) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # Makes the environment, and writes down what pip is to install; there is no uv.
    made = 'for last; do :; done; mkdir -p "$last/bin"; touch "$last/bin/hf"; chmod +x "$last/bin/hf"'
    python.write_text(
        '#!/bin/sh\necho "$*" >> asked.txt\n'
        f'case "$*" in *" venv "*) {made} ;; *" install "*) exit {int(fails)} ;; esac\n'
    )
    python.chmod(0o755)
    runs = [
        subprocess.run(["sh", "deploy/hub-clients.sh"], cwd=checkout, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    asked = [line for line in (checkout / "asked.txt").read_text().splitlines() if " install " in line]
    if fails:
        assert {run.returncode for run in runs} == {1}
        assert "could not be installed" in runs[1].stderr
        assert len(asked) == 2
        return
    assert {run.returncode for run in runs} == {0}
    assert [line.partition(" --python ")[2] for line in asked] == [
        f".venv-{name}/bin/python install --quiet --require-hashes -r requirements/{name}.txt" for name in HUB_CLIENTS
    ]


def test_neither_the_installation_nor_the_core_tests_ask_for_a_sentence_encoder() -> None:
    locked = [(ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8") for name in ("runtime", "dev")]
    assert [
        text for text in locked if re.search(r"^(torch|sentence-transformers|transformers)\b", text, re.MULTILINE)
    ] == []
    assert "embeddings" not in make(ROOT, "-n", "install").stdout
    assert "or embeddings)" in make(ROOT, "-n", "check").stdout
    plan = make(ROOT, "-n", "test").stdout
    assert "deploy/tests.sh .venv-embeddings/bin/python embeddings -n 0 -m embeddings" in plan
    assert plan.index("and not embeddings") < plan.index("deploy/embeddings.sh dev")


@pytest.mark.slow
def test_the_runtime_alone_imports_every_program_of_the_service(tmp_path: Path) -> None:
    """A library that only the development environment brings must not be needed at run time."""
    runtime = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", runtime, re.MULTILINE)}
    script = (
        "import importlib.metadata, pathlib, sys\n"
        "import api.app, api.cli.up, api.cli.serve, workers.app, workers.first_start, celery.bin.celery\n"
        "import kombu.transport.redis, celery.apps.worker, celery.apps.beat, celery.concurrency.prefork\n"
        "api.app.create_app()\n"
        "owners = importlib.metadata.packages_distributions()\n"
        "tops = {name.split('.')[0] for name in sys.modules}\n"
        "print(*{owner for top in tops for owner in owners.get(top, ())})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=True
    )
    used = {name.lower().replace("_", "-") for name in answer.stdout.split()}
    optional = {"pyyaml", "greenlet"}  # circus and uvicorn use the one where it is there, SQLAlchemy the other
    assert used - locked - {"paperfeed"} - optional == set()


def test_the_lock_files_say_nothing_about_the_machine_that_wrote_them() -> None:
    for name in ("runtime", "dev", "bootstrap", "embeddings", *HUB_CLIENTS):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert [line for line in text.splitlines() if "://" in line or line.startswith("-") or "# via /" in line] == []
