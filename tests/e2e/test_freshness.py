"""New papers reach search, trending and the lists of readers within a minute of their ingest, without a retrain."""

from collections.abc import Iterator

import pytest

from tests.benchmarks.freshness import OBJECTIVE, OBJECTIVE_SEARCH, measure
from tests.benchmarks.near_real_time import demonstration
from tests.e2e.processes import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

PAPERS, READERS = 200, 20


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with demonstration(tmp_path_factory.mktemp("fresh") / "data") as installation:
        yield installation


def test_new_papers_are_everywhere_within_a_minute(up: Installation) -> None:
    runs = up.get("/v1/admin/training-runs")["items"]
    version = up.get("/v1/admin/models")["items"][0]["version"]
    found = measure(up, papers=PAPERS, readers=READERS)
    assert found.search < OBJECTIVE_SEARCH
    assert found.trending < OBJECTIVE
    assert max(found.lists) < OBJECTIVE
    assert up.get("/v1/admin/training-runs")["items"] == runs
    assert up.get("/v1/admin/models")["items"][0]["version"] == version
