"""A stage in its own process: its errors are told, its process never stays."""

from pathlib import Path

import psutil
import pytest

from api.runtime.processes import LOWEST_PRIORITY
from workers.spawned import StageFailed, run_stage


class Stop(Exception):
    """What a check raises."""


def ignore(_progress: float) -> None:
    return None


def go_on() -> None:
    return None


def stop() -> None:
    raise Stop


def stage_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "workers.apart" in child.cmdline()]


def test_a_stage_has_what_others_leave_of_the_processor(tmp_path: Path) -> None:
    priorities: set[int] = set()

    def look() -> None:
        priorities.update(child.nice() for child in stage_processes())
        if LOWEST_PRIORITY in priorities:
            raise Stop

    with pytest.raises((Stop, StageFailed)):
        run_stage("fit", tmp_path, artifact=tmp_path / "a", seconds=120, check=look, on_progress=ignore)
    assert LOWEST_PRIORITY in priorities
    assert psutil.Process().nice() != LOWEST_PRIORITY


def test_a_stage_without_its_snapshot_fails_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"ended with code 1: there is no whole snapshot"):
        run_stage("fit", tmp_path, artifact=tmp_path / "a", seconds=120, check=go_on, on_progress=ignore)


def test_a_stage_that_takes_too_long_is_ended_and_the_setting_named(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="PAPERFEED_TRAIN_FIT_MINUTES"):
        run_stage("fit", tmp_path, artifact=tmp_path / "a", seconds=0.1, check=go_on, on_progress=ignore)
    assert not stage_processes()


def test_a_stage_is_ended_when_its_run_has_to_stop(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run_stage("judge", tmp_path, artifact=tmp_path / "a", seconds=120, check=stop, on_progress=ignore)
    assert not stage_processes()
