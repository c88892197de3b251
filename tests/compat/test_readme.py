"""The README's section on the tools people have, run as printed."""

import os
import re
import subprocess

import pytest

from tests.compat.clients import ROOT, Released
from tests.e2e.processes import Installation

pytestmark = [pytest.mark.compat, pytest.mark.timeout(1500)]

BLOCK = re.compile(r"<!-- hub -->\n```(bash|python)\n(.*?)```", re.DOTALL)


def as_shell(language: str, text: str) -> str:
    return text if language == "bash" else f"python3 - <<'END'\n{text}END\n"


def test_the_section_runs_as_printed(first_start: Installation, released: Released) -> None:
    if released.version == "0":
        pytest.skip("this version has no such commands")
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [language for language, _ in blocks] == ["bash", "bash", "python", "bash"]
    reader = f"lin{released.version}"  # a first visit for each of the clients
    script = "set -euo pipefail\n" + "\necho\n".join(as_shell(*block) for block in blocks)
    for printed, meant in (
        ("127.0.0.1:8000", f"127.0.0.1:{first_start.port}"),
        ("--reader ada)", f"--reader {reader})"),
        ("ada/library", f"{reader}/library"),
        ("--owner ada\n", f"--owner {reader}\n"),
        ("curl -s ", "curl -s --fail-with-body "),
    ):
        assert printed in script
        script = script.replace(printed, meant)
    paperfeed = {name: value for name, value in first_start.environment.items() if name.startswith("PAPERFEED_")}
    path = f"{released.bin}:/usr/local/bin:/usr/bin:/bin"
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=first_start.data_dir.parent,
        env={**released.environment(**paperfeed), "PATH": path, "TERM": os.environ.get("TERM", "dumb")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert re.search(r"^ 1 .* - .+$", result.stdout, re.MULTILINE), result.stdout
    assert "1 saved, the last one" in result.stdout
    assert result.stdout.count("because you saved") >= 2, result.stdout  # the feed has followed, in Python and curl
    assert result.stdout.rstrip().splitlines()[-1].startswith("# ")
