"""Sentence encoders: each runs in a process of its own, which ends with us and takes its memory along.

The process is `python -m api.runtime.encoder_child`. It gets one JSON line of texts at a time on standard input and
answers with one JSON line, followed by the vectors as bytes. It never asks the network unless told to download.
"""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Protocol, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from api.sentences import encoder_key

Half = NDArray[np.float16]
Report = Callable[[int], None]

LIBRARY: Final = "sentence_transformers"
OPEN_SECONDS: Final = 300.0  # libraries and weights from a cold, busy disk take a minute
DOWNLOAD_SECONDS: Final = 3600.0
BATCH_SECONDS: Final = 300.0  # a batch takes about a second: whoever takes this long does not answer any more
MOST_CHARACTERS: Final = 20_000  # of a text; encoders read the first few hundred words
LONG_TEXT: Final = 1_200  # characters of the 256 tokens that a small encoder reads
SHORT_TEXT: Final = 75  # shorter ones gain nothing from larger batches
READ_BYTES: Final = 1 << 16
WORDS_KEPT: Final = 4096  # bytes of what a process said last
INSTALL: Final = "install it with `make embeddings` and run from .venv-embeddings"
LESS_MEMORY: Final = "lower PAPERFEED_ENCODER_BATCH, or give it more memory"


class EncoderError(Exception):
    """A sentence encoder cannot be used; says which, why, and what to do. Words alone go on working."""

    def __init__(self, name: str, reason: str, *, remedy: str) -> None:
        super().__init__(f"sentence encoder {name}: {reason}; {remedy}")
        self.name = name
        self.reason = reason
        self.remedy = remedy


class TextEncoder(Protocol):
    """Anything that turns sentences into vectors of one length."""

    @property
    def name(self) -> str:
        """The name under which its vectors are kept."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], *, progress: Report | None = None) -> Half:
        """(texts, dim) float16, rows of length 1; `progress` hears how many are done. Raises EncoderError."""
        ...


@dataclass(slots=True)
class EncoderProcess:
    """An encoder in a process of its own; use it in a `with` block."""

    name: str
    dim: int
    batch: int
    _child: subprocess.Popen[bytes]
    _said: Any  # the file of its standard error

    def encode(self, texts: Sequence[str], *, progress: Report | None = None) -> Half:
        """(texts, dim) float16, rows of length 1 (zero where the model gives no numbers); raises EncoderError."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float16)
        # Texts of like length share a batch: all of them are padded to its longest.
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]), reverse=True)
        start = 0
        while start < len(order):
            chosen = order[start : start + self._fitting(len(texts[order[start]]))]
            self._ask([texts[at][:MOST_CHARACTERS] for at in chosen])
            answer = self._hear(BATCH_SECONDS)
            if (answer["rows"], answer["dim"]) != (len(chosen), self.dim):
                raise EncoderError(self.name, "answered with vectors of another shape", remedy="use another model")
            data = self._read(len(chosen) * self.dim * 2, time.monotonic() + BATCH_SECONDS)
            vectors[chosen] = np.frombuffer(data, dtype="<f2").reshape(len(chosen), self.dim)
            start += len(chosen)
            if progress is not None:
                progress(start)
        return vectors

    def _fitting(self, longest: int) -> int:
        """How many texts of this many characters cost as much memory as a batch of long ones."""
        return self.batch * max(LONG_TEXT // max(longest, SHORT_TEXT), 1)

    def close(self) -> None:
        """End the process."""
        self._child.kill()
        for stream in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both were asked for
        self._child.wait()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, texts: list[str]) -> None:
        descriptor = self._child.stdin.fileno()  # type: ignore[union-attr]  # it was asked for
        rest = memoryview(orjson.dumps(texts, option=orjson.OPT_APPEND_NEWLINE))
        deadline = time.monotonic() + BATCH_SECONDS
        while rest:  # a full pipe of a process that hangs must not hang us
            if not select.select([], [descriptor], [], max(deadline - time.monotonic(), 0.0))[1]:
                raise self._silent()
            try:
                rest = rest[os.write(descriptor, rest) :]
            except OSError:
                raise self._lost() from None

    def _hear(self, seconds: float) -> dict[str, Any]:
        """Read the next JSON line; one that tells of a problem is raised."""
        deadline = time.monotonic() + seconds
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._read(1, deadline)
        answer: dict[str, Any] = orjson.loads(line)
        if "problem" in answer:
            raise EncoderError(self.name, answer["problem"], remedy=answer["remedy"])
        return answer

    def _read(self, size: int, deadline: float) -> bytes:
        descriptor = self._child.stdout.fileno()  # type: ignore[union-attr]
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if not select.select([descriptor], [], [], max(left, 0.0))[0]:
                raise self._silent()
            part = os.read(descriptor, min(size - len(data), READ_BYTES))
            if not part:
                raise self._lost()
            data += part
        return bytes(data)

    def _silent(self) -> EncoderError:
        return EncoderError(self.name, "does not answer any more", remedy="try again, with less load on this machine")

    def _lost(self) -> EncoderError:
        code = self._child.wait()
        if code == -9:
            return EncoderError(self.name, "its process was killed, for want of memory perhaps", remedy=LESS_MEMORY)
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(self._said.tell() - WORDS_KEPT, 0))
        said = [line for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        why = said[-1].strip() if said else "it said nothing"
        return EncoderError(self.name, f"its process ended with code {code}: {why}", remedy="repair its installation")


def is_library_installed() -> bool:
    """True where sentence encoders can run; nothing is imported to find out."""
    return find_spec(LIBRARY) is not None


def open_encoder(
    name: str, *, batch: int = 32, threads: int = 0, niceness: int = 0, may_download: bool = False
) -> EncoderProcess:
    """Return the sentence encoder of this name or folder, loaded; raises EncoderError.

    `threads` 0 is one per processor. Without `may_download` only what lies on this machine is looked for.
    """
    key = encoder_key(name)
    if not key:
        raise ValueError("words alone need no sentence encoder")
    if not is_library_installed():
        raise EncoderError(key, "the library sentence-transformers is not installed here", remedy=INSTALL)
    said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    command = [sys.executable, "-P", "-m", "api.runtime.encoder_child", key, str(threads), str(niceness)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=_environment(may_download=may_download),
        start_new_session=True,  # Ctrl-C is ours to answer; it ends when its input does
    )
    opened = EncoderProcess(key, 0, batch, child, said)
    os.set_blocking(child.stdin.fileno(), False)  # type: ignore[union-attr]  # it was asked for
    try:
        ready = opened._hear(DOWNLOAD_SECONDS if may_download else OPEN_SECONDS)
    except BaseException:
        opened.close()
        raise
    opened.dim = int(ready["dim"])
    return opened


def _environment(*, may_download: bool) -> dict[str, str]:
    """Return variables that keep the child off the network and quiet."""
    offline = "0" if may_download else "1"
    # Our own processes hold numeric libraries to one thread; the child is told how many it may have.
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return {
        **inherited,
        "HF_HUB_OFFLINE": offline,
        "TRANSFORMERS_OFFLINE": offline,
        "HF_HUB_ETAG_TIMEOUT": "10",
        "HF_HUB_DOWNLOAD_TIMEOUT": "30",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
