"""Durable feedback, one event a request and fifty, against a plain route that stores the same rows."""

import json
import shutil
import urllib.request
from typing import Any, Final

from tests.benchmarks.service.bare_events import DATABASE
from tests.benchmarks.service.harness import Bench, Race, Row, Target, bare_server, race
from tests.benchmarks.service.world import Service, World, make_world, running
from tests.shared import free_port

AT_LEAST: Final = 0.7
BATCH: Final = 50
PAGE: Final = 50  # papers of each reader's slate
# How often what is sent: a page seen and a few papers of it opened; a single event is more often an act.
KINDS: Final = {
    BATCH: {"impression": 45, "click": 3, "read": 1, "save": 1},
    1: {"impression": 10, "click": 6, "read": 2, "save": 2},
}
NUMBERS: Final = {"impression": 0, "click": 1, "save": 2, "read": 8}
_LUA: Final = """
local seed = io.open("/dev/urandom", "rb")
math.randomseed(string.byte(seed:read(1)) + 256 * (string.byte(seed:read(1)) + 256 * string.byte(seed:read(1))))
seed:close()
local r, format, at, turn = math.random, string.format, 0, 0
local kinds, readers = {KINDS}, READERS
local seconds = {[TIMED] = ',"value":12.5'}  -- nothing but reading takes a time
local function uuid()
  return format("%08x-%04x-4%03x-a%03x-%04x%08x", r(0, 4294967295), r(0, 65535), r(0, 4095), r(0, 4095),
    r(0, 65535), r(0, 4294967295))
end
local function events(reader)
  local found = {}
  for number = 1, BATCH do
    turn = turn % #kinds + 1
    local place = (at + number) % #reader.papers + 1
    found[number] = EVENT
  end
  return table.concat(found, ",")
end
request = function()
  at = at + 1
  local reader = readers[at % #readers + 1]
  return wrk.format("POST", "PATH", reader.headers, BODY)
end
"""
_OURS: Final = {
    "EVENT": """format('{"id":"%s","kind":%s,"paper_id":"%s","occurred_at":"%s","position":%d%s}', uuid(), kinds[turn],
      reader.papers[place], os.date("!%Y-%m-%dT%H:%M:%S.123Z"), place, seconds[kinds[turn]] or "")""",
    "BODY": """'{"slate":"' .. reader.slate .. '","events":[' .. events(reader) .. ']}'""",
    "PATH": "/v1/events",
}
_BARE: Final = {
    "EVENT": """format('{"id":"%s","user_id":%d,"kind":%s,"paper_id":%s,"occurred_at":%d000000,"position":%d%s}',
      uuid(), reader.user_id, kinds[turn], reader.papers[place], os.time(), place, seconds[kinds[turn]] or "")""",
    "BODY": """'{"events":[' .. events(reader) .. ']}'""",
    "PATH": "/events",
}


def measure(bench: Bench) -> list[Row]:
    """Batches and single events on SQLite, one API process."""
    world = make_world(bench.folder / "events")
    copy = bench.folder / "bare.db"
    shutil.copy(world.folder / "paperfeed.db", copy)
    with running(world) as service:
        pages = [_read_page(service, reader) for reader in world.readers]
        app = "tests.benchmarks.service.bare_events:events"
        with bare_server(app, port=free_port(), folder=bench.folder, settings={DATABASE: str(copy)}) as bare:
            return [
                _row(race(our_load(service, pages, size), bare_load(bare, pages, size), bench), size)
                for size in (1, BATCH)
            ]


def our_load(service: Service, pages: list[dict[str, Any]], size: int) -> Target:
    """Events of each reader in turn about the page they were shown."""
    readers = [
        _table(
            headers=_headers(service.world, page["reader"]),
            papers=[item["paper"]["id"] for item in page["items"]],
            slate=page["slate"],
        )
        for page in pages
    ]
    return Target(f"ours, {size}", service.url, _script(_OURS, readers, size, is_named=True))


def bare_load(url: str, pages: list[dict[str, Any]], size: int) -> Target:
    """The same events by the numbers of readers and papers."""
    readers = [
        _table(
            headers={"Content-Type": "application/json"},
            papers=[item["paper"]["id"].removeprefix("p") for item in page["items"]],
            user_id=page["user_id"],
        )
        for page in pages
    ]
    return Target(f"bare, {size}", url, _script(_BARE, readers, size, is_named=False))


def _script(parts: dict[str, str], readers: list[str], size: int, *, is_named: bool) -> str:
    names = [name for name, count in KINDS[size].items() for _ in range(count)]
    names = [names[at * 7 % len(names)] for at in range(len(names))]  # 7 divides neither 50 nor 20: all of them, mixed
    kinds = [json.dumps(f'"{name}"') if is_named else str(NUMBERS[name]) for name in names]
    text = _LUA
    for name, value in {
        **parts,
        "KINDS": ",".join(kinds),
        "TIMED": json.dumps('"read"') if is_named else str(NUMBERS["read"]),
        "READERS": "{" + ",".join(readers) + "}",
        "BATCH": str(size),
    }.items():
        text = text.replace(name, value)
    return text


def _table(**fields: Any) -> str:
    """Return a table of Lua."""
    return "{" + ",".join(f"{name}={_lua(value)}" for name, value in fields.items()) + "}"


def _lua(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"[{json.dumps(name)}]={_lua(one)}" for name, one in value.items()) + "}"
    return "{" + ",".join(map(_lua, value)) + "}" if isinstance(value, list) else json.dumps(value)


def _headers(world: World, reader: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.token}", "X-User": reader, "Content-Type": "application/json"}


def _read_page(service: Service, reader: str) -> dict[str, Any]:
    asked = urllib.request.Request(f"{service.url}/v1/feed?limit={PAGE}", headers=_headers(service.world, reader))
    with urllib.request.urlopen(asked) as answer:
        page: dict[str, Any] = json.load(answer)
    return page | {"reader": reader, "user_id": int(reader.rpartition("-")[2])}


def _row(found: Race, size: int) -> Row:
    many = f"{size} events" if size > 1 else "one event"
    note = f"{found.ours.per_second * size:,.0f} events/s against {found.theirs.per_second * size:,.0f}"
    return Row(
        what=f"POST of {many}, durable",
        against="plain FastAPI route: group commit into the same table",
        at_least=str(AT_LEAST),
        is_met=found.ratio >= AT_LEAST and not found.ours.errors,
        value=found.ratio,
        ours=found.ours,
        theirs=found.theirs,
        note=note,
    )
