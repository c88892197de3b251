"""Whether the holder of a lease lives."""

import subprocess
import sys

import psutil

from api.runtime.owner import is_dead_owner, name_this_process


def test_this_process_lives() -> None:
    assert not is_dead_owner(name_this_process())


def test_a_process_that_ended_is_dead() -> None:
    code = "from api.runtime.owner import name_this_process; print(name_this_process())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_dead_owner(ended.stdout.strip())


def test_a_process_id_that_was_given_to_another_process_is_dead() -> None:
    place, pid, started = name_this_process().rsplit("/", 2)
    assert is_dead_owner(f"{place}/{pid}/{float(started) - 100:.2f}")


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        process = psutil.Process(child.pid)
        owner = f"{name_this_process().rsplit('/', 2)[0]}/{child.pid}/{process.create_time():.2f}"
        while process.status() != psutil.STATUS_ZOMBIE:
            pass
        assert is_dead_owner(owner)


def test_owners_of_other_machines_are_left_to_their_lease() -> None:
    place, pid, started = name_this_process().rsplit("/", 2)
    assert not is_dead_owner(f"another-{place}/{pid}/{started}")
    for strange in ("", "x", "a/b/c"):
        assert not is_dead_owner(strange)
