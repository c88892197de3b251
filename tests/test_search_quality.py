"""Search quality on real papers, as the service searches them."""

import pytest

from tests.benchmarks.search_quality import Page, Row, measure
from tests.benchmarks.search_world import read_texts
from tests.shared import shared_data

TITLES = 300  # papers whose titles are asked for: intervals are half again as wide as those of the table

pytestmark = [pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Page]:
    shared_data("citeulike")
    folder = shared_data("daily_papers_page").parent
    return measure(read_texts(folder), tmp_path_factory.mktemp("indexes"), titles=TITLES)


def rows_of(measured: tuple[list[Row], Page], word: str) -> list[Row]:
    found = [row for row in measured[0] if word in row.kind.split(",")[0]]
    assert found
    return found


def test_on_titles_the_blend_is_not_below_the_best_outside_its_interval(measured: tuple[list[Row], Page]) -> None:
    for row in rows_of(measured, "title"):
        best = max(of.mean for of in row.mrr.values())
        assert row.mrr["blended"].high >= best, row.kind


def test_on_sentences_of_abstracts_the_blend_is_above_both(measured: tuple[list[Row], Page]) -> None:
    for row in rows_of(measured, "sentence"):
        best = max(row.mrr["lexical"].mean, row.mrr["vector"].mean)
        if row.kind.endswith("title alone indexed"):  # nothing of the abstract is known: a tie with the index
            assert row.mrr["blended"].high >= best, row.kind
        else:
            assert row.mrr["blended"].mean > best, row.kind


def test_the_papers_of_the_page_come_before_unrelated_ones(measured: tuple[list[Row], Page]) -> None:
    page = measured[1]
    assert page.average_precision["blended"] >= 0.85
    assert page.precision["blended"] >= 0.75
