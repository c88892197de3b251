"""The README's tour, run as printed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import PAPERFEED, Installation, embedded, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
TOUR = re.compile(r"<!-- tour -->\n```bash\n(.*?)```", re.DOTALL)
# No network: the demonstration is loaded. The addresses are closed ports of this machine, refused at once.
NO_NETWORK = {"PAPERFEED_HUGGINGFACE_URL": "http://127.0.0.1:9", "PAPERFEED_ARXIV_URL": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("tour")
    (folder / ".venv").symlink_to(Path(PAPERFEED).parents[1])
    with embedded(folder / "data", environment=NO_NETWORK) as installation:
        wait_until(lambda: _has_model(installation), seconds=300, what="the first model", every=0.5)
        yield installation


def _has_model(installation: Installation) -> bool:
    checks = installation.http.get("/readyz").json()["checks"]
    return bool(checks["model"]["state"] == "ok")


def test_the_tour_runs_as_printed(installation: Installation) -> None:
    blocks = TOUR.findall((ROOT / "README.md").read_text())
    assert len(blocks) >= 6
    script = "set -euo pipefail\n" + "\necho\n".join(blocks)
    port = f"127.0.0.1:{installation.port}"
    assert "127.0.0.1:8000" in script
    script = script.replace("127.0.0.1:8000", port).replace("curl -s", "curl -s --fail-with-body")
    environment = {**installation.environment, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert shutil.which("curl")
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=installation.data_dir.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    sources = re.findall(r"source: (\w+)$", result.stdout, re.MULTILINE)
    assert sources[0] in {"trending", "latest"}
    assert sources[1:] == ["personal", "personal"]
    assert '"accepted"' in result.stdout
    assert '"duplicate"' in result.stdout
