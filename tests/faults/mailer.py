"""A worker that makes and sends what is due, followed by another when it is killed: `python -m tests.faults.mailer`.

Each is a process of its own that opens everything anew; the one they are forked from has only read the code.
"""

import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from api.runtime.processes import die_with_parent
from workers.digests import make_digests
from workers.mails import send_mails


def main(pid_file: Path) -> NoReturn:
    """Keep one worker running, and its process id in a file."""
    while True:
        pid = os.fork()
        if pid == 0:
            _work()
        aside = pid_file.with_suffix(".part")
        aside.write_text(str(pid))
        aside.replace(pid_file)
        os.waitpid(pid, 0)


def _work() -> NoReturn:
    """Do the work of two workers, as often as beat could ask for it."""
    die_with_parent()
    while True:
        make_digests()
        send_mails()
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
