"""Five well-chosen questions against five random ones, on real readers whom the model has never met."""

import pytest

from recommender.metrics import paired_bootstrap
from tests.benchmarks.elicitation import SEED, Trial, ask, ask_at_random, open_minded, prepare, telling
from tests.shared import SHARED

FOLDER = SHARED / "citeulike"

pytestmark = [pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def trial() -> Trial:
    """Return a model without the readers of part 1, who chose no constant."""
    if not (FOLDER / "train.csv").is_file():
        pytest.skip(f"no CiteULike in {FOLDER}")
    return prepare(FOLDER, part=1)


@pytest.mark.parametrize("are_open", [False, True], ids=["strict readers", "open readers"])
def test_five_telling_answers_find_more_than_five_random_ones(trial: Trial, are_open: bool) -> None:
    likes = open_minded(trial) if are_open else dict(trial.saved)
    asked = ask(trial, telling(trial), likes=likes)
    random = ask_at_random(trial, trial.by_fame, likes=likes)
    gain = paired_bootstrap(asked.hits, random.hits, seed=SEED)
    assert gain.low > 0, gain
    assert asked.likings > 5 * random.likings  # people are asked about papers they may know
