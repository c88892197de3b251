"""What a process remembers of who is signed in."""

from api.runtime import signed_in
from api.runtime.signed_in import SignedIn, SignedInMemo


def somebody(account_id: int, session_id: int = 1) -> SignedIn:
    return SignedIn(account_id, account_id + 100, f"account:{account_id}", "a@papers.test", "A", False, session_id)


def test_a_look_up_is_trusted_for_its_seconds() -> None:
    now = [0.0]
    memo = SignedInMemo(5.0, clock=lambda: now[0])
    memo.put("a", somebody(1), ended=memo.ended)
    now[0] = 4.9
    assert memo.get("a") == somebody(1)
    now[0] = 5.0
    assert memo.get("a") is None


def test_what_ends_here_ends_here_at_once() -> None:
    memo = SignedInMemo(5.0)
    memo.put("a", somebody(1), ended=memo.ended)
    memo.put("b", somebody(1, 2), ended=memo.ended)
    memo.put("c", somebody(2), ended=memo.ended)
    memo.forget_account(1)
    assert [memo.get(key) for key in "abc"] == [None, None, somebody(2)]
    memo.forget_reader(102)
    assert memo.get("c") is None


def test_a_look_up_that_began_before_somebody_signed_out_does_not_outlive_it() -> None:
    memo = SignedInMemo(5.0)
    ended = memo.ended
    memo.forget_account(1)  # while the row was being read
    memo.put("a", somebody(1), ended=ended)
    assert memo.get("a") is None


def test_no_more_browsers_are_remembered_than_there_is_room_for() -> None:
    memo = SignedInMemo(5.0)
    for number in range(signed_in.MOST_KEPT + 1):
        memo.put(str(number), somebody(number), ended=0)
    assert memo.get("0") is None
    assert memo.get(str(signed_in.MOST_KEPT)) is not None
