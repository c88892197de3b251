"""Chance in what is shown: bounded, repeatable, of known probability, and the same however it is cut."""

from collections import Counter
from collections.abc import Iterator
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.rerank_exploration import slot_places
from recommender.slate_randomisation import Randomisation, Shuffle, count_slots, slot_place

sizes = st.integers(0, 120)
slate_ids = st.binary(min_size=8, max_size=8)
chances = st.builds(Randomisation, st.floats(0, 0.5), st.one_of(st.just(0.0), st.floats(1e-4, 1)))
shuffles = st.builds(lambda n, m, r, i: Shuffle.of(n, m, r, slate_id=i), sizes, sizes, chances, slate_ids)


def slate_ids_of(count: int) -> Iterator[bytes]:
    return (number.to_bytes(8, "little") for number in range(count))


@given(shuffles)
@settings(deadline=None)
def test_every_paper_is_shown_once_and_moves_by_one_place_at_most(shuffle: Shuffle) -> None:
    whole = shuffle.part(0, len(shuffle))
    assert len(whole.picks) == len(set(whole.picks)) == len(shuffle)
    own = [pick for pick in whole.picks if pick < shuffle.ordinary]
    assert sorted(own) == list(range(shuffle.ordinary))
    assert all(abs(pick - at) <= 1 for at, pick in enumerate(own))
    assert all(pick < shuffle.ordinary + shuffle.pool for pick in whole.picks)
    assert whole.levels == sorted(whole.levels)


@given(shuffles, st.lists(st.integers(1, 30), min_size=1, max_size=30))
@settings(deadline=None)
def test_pages_of_any_length_give_the_same_list(shuffle: Shuffle, cuts: list[int]) -> None:
    whole = shuffle.part(0, len(shuffle))
    at, page = 0, 0
    while at < len(shuffle):
        until = min(at + cuts[page % len(cuts)], len(shuffle))
        part = shuffle.part(at, until)
        assert part.picks == whole.picks[at:until]
        assert part.levels == whole.levels[at:until]
        assert part.propensities == whole.propensities[at:until]
        at, page = until, page + 1


@given(shuffles)
def test_the_same_slate_is_worked_out_again(shuffle: Shuffle) -> None:
    again = Shuffle.of(shuffle.ordinary, shuffle.pool, shuffle.randomisation, slate_id=shuffle.slate_id)
    assert again.part(0, 1000) == shuffle.part(0, 1000)


@given(st.one_of(st.just(0.0), st.floats(1e-6, 1)), st.integers(0, 300), st.integers(0, 100))
def test_slots_stand_where_the_policy_puts_them(share: float, k: int, most: int) -> None:
    places = slot_places(share, k=k).tolist()
    assert count_slots(share, k=k, most=10_000) == len(places)
    assert count_slots(share, k=k, most=most) == min(len(places), most)
    assert [slot_place(share, slot) for slot in range(len(places))] == places


@given(st.integers(1, 60), st.integers(0, 40), st.floats(1e-6, 1), slate_ids)
def test_drawn_papers_stand_at_the_slots(ordinary: int, pool: int, share: float, slate_id: bytes) -> None:
    shuffle = Shuffle.of(ordinary, pool, Randomisation(0.3, share), slate_id=slate_id)
    drawn = [at for at, pick in enumerate(shuffle.part(0, len(shuffle)).picks) if pick >= ordinary]
    assert drawn == slot_places(share, k=ordinary).tolist()[:pool]


@given(sizes, slate_ids)
def test_switched_off_a_list_stays_as_it_is(ordinary: int, slate_id: bytes) -> None:
    found = Shuffle.of(ordinary, 30, Randomisation(), slate_id=slate_id).part(0, 1000)
    assert found.picks == found.levels == list(range(ordinary))
    assert found.propensities == [1.0] * ordinary


@pytest.mark.parametrize("ordinary", [1, 2, 3, 7, 40])
def test_the_chances_of_a_place_and_of_a_paper_add_up_to_one(ordinary: int) -> None:
    """Enumerated: every placing that any of many slates shows, with the propensity that it states."""
    stated: dict[tuple[int, int], float] = {}
    for slate_id in slate_ids_of(400):
        found = Shuffle.of(ordinary, 0, Randomisation(0.3), slate_id=slate_id).part(0, ordinary)
        for at, (pick, chance) in enumerate(zip(found.picks, found.propensities, strict=True)):
            assert stated.setdefault((at, pick), chance) == chance
    for each in range(ordinary):
        assert sum(chance for (at, _), chance in stated.items() if at == each) == pytest.approx(1, abs=1e-9)
        assert sum(chance for (_, pick), chance in stated.items() if pick == each) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("ordinary", "pool", "swap", "share"), [(20, 12, 0.1, 0.2), (5, 3, 0.5, 0.5), (2, 0, 0.25, 0.0), (9, 2, 0.2, 1.0)]
)
def test_stated_propensities_are_what_happens(ordinary: int, pool: int, swap: float, share: float) -> None:
    slates = 6000
    shown: Counter[tuple[int, int]] = Counter()
    stated: dict[tuple[int, int], float] = {}
    for slate_id in slate_ids_of(slates):
        found = Shuffle.of(ordinary, pool, Randomisation(swap, share), slate_id=slate_id).part(0, 100)
        for at, (pick, chance) in enumerate(zip(found.picks, found.propensities, strict=True)):
            shown[at, pick] += 1
            stated[at, pick] = chance
    for key, chance in stated.items():
        spread = sqrt(chance * (1 - chance) / slates)
        assert abs(shown[key] / slates - chance) <= 4.5 * spread + 1e-12, key


@pytest.mark.parametrize("swap", [0.001, 0.1, 0.3, 0.5])
def test_the_probability_of_a_swap_is_exactly_the_stated_one(swap: float) -> None:
    stated = {
        chance
        for slate_id in slate_ids_of(3000)
        for chance in Shuffle.of(6, 0, Randomisation(swap), slate_id=slate_id).part(0, 6).propensities
    }
    assert stated == {1 - swap, 1 - swap / 2, swap / 2}


def test_all_orders_of_draws_are_equally_likely() -> None:
    slates = 6000
    orders = Counter(
        tuple(Shuffle.of(4, 3, Randomisation(0, 1), slate_id=slate_id).part(0, 3).picks)
        for slate_id in slate_ids_of(slates)
    )
    assert len(orders) == 6
    assert all(abs(count / slates - 1 / 6) < 4.5 * sqrt(1 / 6 * 5 / 6 / slates) for count in orders.values())


def test_swaps_and_draws_of_a_slate_are_independent() -> None:
    together: Counter[tuple[bool, int]] = Counter()
    slates = 8000
    for slate_id in slate_ids_of(slates):
        picks = Shuffle.of(4, 2, Randomisation(0.5, 0.25), slate_id=slate_id).part(0, 4).picks
        together[picks[0] == 1, picks[1]] += 1
    for (is_swapped, _), count in together.items():
        assert count / slates == pytest.approx((0.25 if is_swapped else 0.75) / 2, abs=0.025)


@pytest.mark.parametrize(("swap", "share"), [(0.6, 0.0), (-0.1, 0.0), (float("nan"), 0.0), (0.0, 1.5), (0.0, -1.0)])
def test_impossible_chances_are_refused(swap: float, share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        Randomisation(swap, share)
