"""The process of one stage: `python -m workers.apart judge|fit FOLDER PARENT_PID ARTIFACT`.

It imports next to nothing before it has asked to end with its parent: the libraries of a fit take seconds to load.
"""

import sys
from pathlib import Path

from api.runtime.processes import die_with_parent, yield_to_others


def main(stage: str, folder: Path, parent_pid: int, artifact: Path) -> None:
    """Run one stage and leave its result in `folder`."""
    die_with_parent(parent_pid=parent_pid)
    yield_to_others()  # a request is answered within milliseconds, a fit may take its time
    from workers.fitting import run_stage_here

    run_stage_here(stage, folder, artifact=artifact)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
