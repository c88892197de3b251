"""Released clients as tests use them: methods in a process of the client's own Python, and the `hf` command."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DRIVER: Final = Path(__file__).with_name("driver.py")
COMMAND_SECONDS: Final = 60
# By the names of their lock files: the newest release, the newest with a 1 before the point, and the last with a 0.
VERSIONS: Final = ("newest", "1", "0")
WITH_COMMANDS: Final = ("newest", "1")  # `hf papers` and `hf collections` came with version 1


class ClientError(Exception):
    """What a client raised."""

    def __init__(self, names: list[str], status: int | None, message: str) -> None:
        super().__init__(f"{names[0]} ({status}): {message}")
        self.names = names  # of the class and its bases
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Released:
    """One released client, in the environment that `make hub-clients` makes."""

    version: str
    home: Path  # where it keeps what it keeps

    @property
    def bin(self) -> Path:
        """The programs of its environment."""
        return ROOT / f".venv-hub-{self.version}" / "bin"

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which the client knows of no other server and no other token."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_XET": "1"}
        return {**kept, **quiet, "HF_HOME": str(self.home), "HOME": str(self.home), **more}

    def hf(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the `hf` command."""
        return subprocess.run(
            [str(self.bin / "hf"), *arguments],
            env=self.environment(**environment),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )


class Driven:
    """A process of the client's Python that calls what it is told to."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin, self._stdout = stdin, stdout

    def call(self, method: str, api: dict[str, Any] | None, **arguments: Any) -> Any:
        """Return what a method gives, iterators as lists; ClientError for what it raises."""
        self._stdin.write(json.dumps({"method": method, "api": api, "arguments": arguments}) + "\n")
        self._stdin.flush()
        said = json.loads(self._stdout.readline())
        if "error" in said:
            raise ClientError(said["error"], said["status"], said["message"])
        return said["value"]


@contextmanager
def driven(released: Released, **environment: str) -> Iterator[Driven]:
    """Run the driver until the block ends."""
    with subprocess.Popen(
        [str(released.bin / "python"), str(DRIVER)],
        env=released.environment(**environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Driven(process.stdin, process.stdout)
        process.stdin.close()


def find_released(version: str, home: Path) -> Released:
    """Return a client; without its environment CI fails and everybody else skips, saying how to make it."""
    released = Released(version, home)
    if not (released.bin / "hf").exists():
        message = f"there is no {released.bin}: make hub-clients"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return released


class HubClient:
    """`HfApi(endpoint=..., token=...)` of a released client: its methods by their names."""

    def __init__(self, process: Driven, endpoint: str, *, token: str | bool | None = None, **options: Any) -> None:
        self._process = process
        self._api = {"endpoint": endpoint, "token": token, **options}

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: Any) -> Any:
            return self._process.call(method, self._api, **arguments)

        return call
