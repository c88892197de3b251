"""The first step of every supervised child: tie its life to `up`, connect its output, become the real program."""

import os
import sys
import time
from typing import Final

from api.runtime.processes import die_with_parent

HIGHEST_INHERITED_FD: Final = 4096  # `up` holds some dozens


def main(arguments: list[str]) -> None:
    """Run as `child PARENT_PID LOG_FD DELAY_SECONDS PROGRAM ARGUMENT...`; never returns."""
    parent, log_fd, delay, *command = arguments
    die_with_parent(parent_pid=int(parent))
    os.dup2(int(log_fd), 1)
    os.dup2(int(log_fd), 2)
    os.closerange(3, HIGHEST_INHERITED_FD)  # the pipes of the other children
    time.sleep(float(delay))
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
