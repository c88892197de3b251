"""Many outputs, one log."""

import io
import json
import os

from api.runtime.multiplex import LONGEST_LINE, LogMultiplexer


def written(*parts: tuple[str, bytes], as_json: bool = False) -> list[str]:
    out = io.StringIO()
    multiplexer = LogMultiplexer(out, as_json=as_json)
    descriptors = {role: multiplexer.open(role) for role, _ in parts}
    multiplexer.start()
    for role, data in parts:
        with open(os.dup(descriptors[role]), "wb") as pipe:  # noqa: PTH123 - a descriptor, not a path
            pipe.write(data)
    multiplexer.close()
    return out.getvalue().splitlines()


def test_lines_carry_their_role() -> None:
    lines = written(("api", b"one\n"), ("worker", b"two\n"))
    assert sorted(line.split() for line in lines) == [["api", "|", "one"], ["worker", "|", "two"]]


def test_lines_written_in_pieces_come_out_whole() -> None:
    assert [line.split(" | ")[1] for line in written(("api", b"hal"), ("api", b"f and half\n"))] == ["half and half"]


def test_our_json_passes_as_it_is_and_other_output_becomes_json() -> None:
    ours, other = written(("api", b'{"message": "x", "role": "api"}\n'), ("api", b"plain\n"), as_json=True)
    assert json.loads(ours) == {"message": "x", "role": "api"}
    assert {**json.loads(other), "time": None} == {"level": "INFO", "role": "api", "message": "plain", "time": None}


def test_output_that_is_no_text_stops_nothing() -> None:
    lines = written(("cache", b"\xff\xfe\x00\n"), ("cache", b"fine\n"))
    assert lines[-1].endswith("| fine")


def test_endless_lines_are_cut() -> None:
    lines = written(("api", b"x" * (3 * LONGEST_LINE)), ("api", b"\n"))
    assert sum(line.count("x") for line in lines) == 3 * LONGEST_LINE
    assert len(lines) > 1


def test_a_terminal_that_has_gone_stops_nothing() -> None:
    out = io.StringIO()
    multiplexer = LogMultiplexer(out, as_json=False)
    descriptor = multiplexer.open("api")
    multiplexer.start()
    out.close()
    os.write(descriptor, b"nobody reads this\n")
    multiplexer.close()
    assert out.closed


def test_a_role_keeps_its_descriptor() -> None:
    multiplexer = LogMultiplexer(io.StringIO(), as_json=False)
    assert multiplexer.open("api") == multiplexer.open("api")
    multiplexer.start()
    multiplexer.close()


def test_the_greetings_of_redis_are_left_out_and_its_troubles_are_not() -> None:
    start = b"7:M 22 Nov 2026 23:40:28.524 # "
    noise = (
        b"Server initialized",
        b"WARNING Memory overcommit must be enabled! Without it, ...",
        b"Configuration loaded",
    )
    lines = written(
        *(("cache", start + text + b"\n") for text in noise),
        ("broker", start + b"Out Of Memory allocating 7 bytes!\n"),
        ("worker", start + b"Server initialized\n"),
    )
    assert sorted(line.split(" # ")[1] for line in lines) == ["Out Of Memory allocating 7 bytes!", "Server initialized"]
