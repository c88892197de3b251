"""Orders of whole lists: loaded once for all pages, for a moment, and few of them."""

from collections.abc import Callable

from api.runtime.orders import ORDER_SECONDS, Orders


class World:
    """A clock and a generation that a test moves, and what was loaded."""

    def __init__(self) -> None:
        self.now = 100.0
        self.generation = 1
        self.loaded: list[str] = []

    def load(self, key: str) -> Callable[[], range]:
        """Return how an order is loaded."""

        def load() -> range:
            self.loaded.append(key)
            return range(10)

        return load

    def read(self, orders: Orders, key: str = "day", *, offset: int = 0) -> list[int]:
        """Return three papers of an order."""
        return orders.read(key, self.load(key), offset=offset, limit=3)

    def orders(self, *, most: int = 4) -> Orders:
        """Return a memory of orders."""
        return Orders(lambda: self.generation, most=most, clock=lambda: self.now)


def test_all_pages_are_cut_from_one_order() -> None:
    world = World()
    orders = world.orders()
    pages = [world.read(orders, offset=offset) for offset in (0, 3, 9, 10, 10**12)]
    assert pages == [[0, 1, 2], [3, 4, 5], [9], [], []]
    assert world.loaded == ["day"]


def test_an_order_ends_with_its_time() -> None:
    world = World()
    orders = world.orders()
    world.read(orders)
    world.now += ORDER_SECONDS
    world.read(orders)
    assert world.loaded == ["day", "day"]


def test_a_change_ends_every_order() -> None:
    world = World()
    orders = world.orders()
    world.read(orders)
    world.generation += 1
    world.read(orders)
    assert world.loaded == ["day", "day"]


def test_a_change_while_an_order_is_loaded_ends_it() -> None:
    world = World()
    orders = world.orders()

    def load() -> range:
        world.generation += 1
        return range(1)

    orders.read("day", load, offset=0, limit=3)
    world.read(orders)
    assert world.loaded == ["day"]


def test_orders_are_few_and_the_oldest_goes_first() -> None:
    world = World()
    orders = world.orders(most=2)
    for key in ("one", "two", "three", "two", "one"):
        world.read(orders, key)
    assert world.loaded == ["one", "two", "three", "one"]
    assert len(orders) == 2
