"""`paperfeed models`, where there is little room."""

from datetime import UTC, datetime

import pytest

from api.cli import models
from api.schemas.admin import ModelOut

VERSION = "20260314-093000-0123456789abcdef"


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_a_version_is_whole_however_narrow_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    now = datetime.now(UTC)
    model = ModelOut(
        version=VERSION,
        run_id=1,
        created_at=now,
        promoted_at=None,
        deleted_at=now,
        is_serving=False,
        is_previous=False,
        config={},
        figures={"readers": 300, "papers": 3000},
        note="a note that is much longer than there is room for " * 4,
        fingerprint="",
    )
    models._print(models._table([model]))
    shown = capsys.readouterr().out
    assert VERSION in shown
    assert "removed" in shown
    assert "…" not in shown
