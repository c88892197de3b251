"""The example of the package runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "recommender" / "README.md"


def test_the_example_runs_and_finds_what_it_planted() -> None:
    [block] = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "promote" in done.stdout
    place = re.search(r"the new paper stands at (\d+)", done.stdout)
    assert place is not None
    assert int(place[1]) <= 20
