"""What is wrong with an installation, and what to do about it: the questions `paperfeed doctor` asks."""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from celery import Celery
from sqlalchemy.exc import SQLAlchemyError

from api.queue import PRODUCER_TRANSPORT_OPTIONS
from api.runtime import embedded
from api.runtime.secrets import StartError, check_secrets, key_file_of, read_signing_keys
from api.services.accounts import is_valid_admin
from api.services.embedding import read_progress
from api.services.health import QUEUES, Check, check_vectors, count_pending, read_health
from api.settings import Settings
from api.store import servers
from api.store.engine import Database
from api.store.letters import count_open
from api.store.migrate import is_current

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024  # a model version and the database's log want this much at least
MANY_LETTERS: Final = 1000  # rejected events; counting more would take long and say no more
LONG_QUEUE: Final = 1000  # messages; a worker takes some hundred a second
WORKER_ANSWER_SECONDS: Final = 1.5


def diagnose(settings: Settings, db: Database, *, now: datetime) -> Iterator[tuple[str, Check]]:
    """Yield the name and the state of each part; each failure says what to do."""
    yield "python", check_python()
    yield "folder", check_folder(settings.data_dir)
    yield "sockets", _unless_refused(lambda: embedded.prepare_folder(settings), str(settings.run_dir))
    yield "secrets", check_keys(settings)
    yield "token", check_admin_token(settings.data_dir / "admin.token", db)
    if settings.cache_url is None or settings.broker_url is None:
        yield "redis", check_redis_program()
    health = read_health(settings, db, now=now)
    checks = dict(health.checks)
    if is_stopped(settings):
        yield "service", Check("degraded", "not running here: start it with `make up` or `paperfeed up`")
        del checks["cache"], checks["broker"]
    if settings.sentence_encoder and "encoder" in checks:
        with db.read() as session:
            progress = read_progress(session, settings.sentence_encoder)
        checks["encoder"] = check_vectors(settings.sentence_encoder, progress)
    yield from checks.items()
    yield "port", check_port(settings, is_running=health.checks["broker"].state == "ok")
    if health.checks["cache"].state == "ok" and settings.cache_url is not None:
        yield "cache policy", check_cache_policy(settings.cache_url)
    if health.checks["broker"].state == "ok":
        yield "broker policy", check_broker_policy(settings.resolved_broker_url)
        yield "worker", check_worker(settings)
    if "sources" in checks:  # the tables are there
        with db.read() as session:
            yield "events", check_letters(count_open(session, most=MANY_LETTERS + 1))


def check_python() -> Check:
    """Say whether this Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("failed", f"{found}: install Python 3.11 or 3.12 and run `make install`")
    return Check("ok", found)


def check_keys(settings: Settings) -> Check:
    """Say whether the signing keys can be read, without making any."""

    def read() -> None:
        check_secrets(settings)
        path = key_file_of(settings)
        if path is not None and path.exists():
            read_signing_keys(settings)

    return _unless_refused(read, "signing key is configured, or not needed")


def check_folder(folder: Path) -> Check:
    """Say whether the data folder can be written and has room."""
    if not folder.exists():
        return Check("degraded", f"{folder} does not exist yet: `paperfeed up` makes it")
    probe = folder / f".doctor-{os.getpid()}"
    try:
        probe.write_bytes(b"x" * 4096)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "free some space" if is_full else "give this user the right to write"
        return Check("failed", f"cannot write in {folder} ({error.strerror}): {advice}")
    finally:
        probe.unlink(missing_ok=True)
    megabytes = free // (1024 * 1024)
    if free < LEAST_FREE_BYTES:
        return Check("failed", f"the disk under {folder} is nearly full ({megabytes} MB left): free some space")
    return Check("ok", f"{folder}, {megabytes} MB free")


def check_token_file(path: Path) -> Check:
    """Say whether the admin token is there and private."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return Check("degraded", f"{path} is missing: `paperfeed up` writes it")
    if stat.S_IMODE(mode) & 0o077:
        return Check("failed", f"others can read {path}: chmod 600 it, or remove it and start again for a new token")
    return Check("ok", f"{path} is readable by its owner only")


def check_admin_token(path: Path, db: Database) -> Check:
    """Say whether the admin token is there, private and good for anything."""
    found = check_token_file(path)
    if found.state != "ok":
        return found
    try:
        if not is_current(db):
            return found
        with db.read() as session:
            if is_valid_admin(session, path):
                return found
    except SQLAlchemyError:
        return found  # the database has a line of its own
    return Check("degraded", f"the token in {path} is revoked or unknown: the next `paperfeed up` writes a new one")


def is_stopped(settings: Settings) -> bool:
    """Say whether the servers that `up` starts are away because it does not run."""
    if settings.cache_url is not None or settings.broker_url is not None or embedded.is_locked(settings.data_dir):
        return False
    return all(map(servers.ping_server, (settings.resolved_cache_url, settings.resolved_broker_url)))


def check_redis_program() -> Check:
    """Say which Redis the embedded mode would start."""
    try:
        return Check("ok", embedded.find_redis())
    except StartError as error:
        return Check("failed", str(error))


def check_port(settings: Settings, *, is_running: bool) -> Check:
    """Say whether the API can listen, or does."""
    where = f"{settings.host}:{settings.port}"
    try:
        embedded.check_port(settings.host, settings.port, wait_seconds=0.0)
    except StartError as error:
        return (
            Check("ok", f"{where} is in use, by this service it seems") if is_running else Check("failed", str(error))
        )
    return Check("ok", f"{where} is free")


def check_cache_policy(url: str) -> Check:
    """Say whether the cache makes room by itself."""
    policy = servers.read_eviction_policy(url)
    if policy == "noeviction":
        return Check("degraded", "the cache refuses writes when full: set `maxmemory-policy allkeys-lru` there")
    return Check("ok", f"maxmemory-policy is {policy}")


def check_broker_policy(url: str) -> Check:
    """Say whether the broker could drop queued work."""
    policy = servers.read_eviction_policy(url)
    if policy not in {"noeviction", None}:
        return Check("failed", f"the broker may drop queued work ({policy}): set `maxmemory-policy noeviction` there")
    return Check("ok", "keeps every message")


def check_worker(settings: Settings) -> Check:
    """Say whether workers answer and keep up."""
    broker_url = settings.resolved_broker_url
    celery = Celery("paperfeed-doctor", broker=broker_url, set_as_current=False)
    celery.conf.broker_transport_options = PRODUCER_TRANSPORT_OPTIONS
    try:
        answers = celery.control.ping(timeout=WORKER_ANSWER_SECONDS)
    except OSError as error:
        return Check("failed", f"the workers cannot be asked ({type(error).__name__}): look at the broker")
    finally:
        celery.close()
    waiting = sum((servers.read_queue_lengths(broker_url, QUEUES) or {}).values())
    pending = count_pending(settings) or 0
    names = sorted(name for answer in answers or () for name in answer)
    if not names:
        return Check("failed", f"no worker answers, {waiting} messages wait: start one (`paperfeed up` does)")
    if waiting > LONG_QUEUE:
        return Check("degraded", f"{waiting} messages wait for {', '.join(names)}: raise PAPERFEED_WORKER_PROCESSES")
    return Check("ok", f"{', '.join(names)}; {waiting} messages and {pending} readers wait")


def check_letters(waiting: int) -> Check:
    """Say how many rejected events are kept that nobody has taken in since."""
    if not waiting:
        return Check("ok", "none was rejected and waits")
    counted = f"more than {MANY_LETTERS:,}" if waiting > MANY_LETTERS else f"{waiting:,}"
    return Check("ok", f"{counted} rejected: `paperfeed dead-letters list` shows them, `replay` takes them in")


def _unless_refused(check: Callable[[], None], detail: str) -> Check:
    try:
        check()
    except StartError as error:
        return Check("failed", str(error))
    return Check("ok", detail)
