"""The names of what a run leaves on disk, and its removal."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from api.services import versions
from api.settings import Settings
from api.store.engine import Database
from api.store.tables import TrainingRun

OF_RUN: Final = re.compile(r"(?:\.tmp-)?\d{8}-\d{6}-r(?P<run>\d+)(?:-\d+)?")
FOLDER_OF_RUN: Final = re.compile(r"(?P<run>\d+)")


def version_name(run: TrainingRun) -> str:
    """Return the name of the model a run makes: the same one however often the run is resumed."""
    return f"{run.created_at:%Y%m%d-%H%M%S}-r{run.run_id}"


def unfinished_name(version: str, fencing_token: int) -> str:
    """Return the folder name of an artifact while it is written: no two owners of a run share one."""
    return f".tmp-{version}-{fencing_token}"


def tidy(settings: Settings, db: Database, *, run_id: int, is_promoted: bool) -> None:
    """Remove what this run and earlier ones no longer need; a later run, and what is not ours, is left alone."""
    with db.write() as session:
        if is_promoted:
            versions.retire_models(session, keep=settings.keep_models, now=datetime.now(UTC))
        kept = set(versions.read_kept_versions(session))
    unused = [path for path in _of_runs(settings.models_dir, OF_RUN, up_to=run_id) if path.name not in kept]
    for path in (*unused, *_of_runs(settings.data_dir / "runs", FOLDER_OF_RUN, up_to=run_id)):
        shutil.rmtree(path, ignore_errors=True)


def _of_runs(folder: Path, name: re.Pattern[str], *, up_to: int) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        match = name.fullmatch(path.name)
        if match and int(match["run"]) <= up_to:
            yield path
