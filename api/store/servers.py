"""Plain questions to the Redis servers: is it there, is it set up right, how much work waits."""

from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import redis

ANSWER_SECONDS: Final = 0.5
CELERY_SOCKET_SCHEME: Final = "redis+socket"


def redis_url(url: str) -> str:
    """Return a Redis address as redis-py writes it; Celery has its own way to write sockets."""
    parts = urlsplit(url)
    if parts.scheme != CELERY_SOCKET_SCHEME:
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.path}?db={database}"


def connect(url: str) -> redis.Redis:
    """Return a client that gives up after half a second, for checks that must not hang."""
    return redis.Redis.from_url(
        redis_url(url), socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, decode_responses=True
    )


def ping_server(url: str) -> str | None:
    """Return what is wrong with the Redis at `url` in a few words, None when it answers."""
    try:
        with connect(url) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def read_eviction_policy(url: str) -> str | None:
    """Return the server's `maxmemory-policy`, None where it is away or does not tell."""
    try:
        with connect(url) as client:
            info = cast(dict[str, object], client.info("memory"))
    except (redis.RedisError, OSError, ValueError):
        return None
    policy = info.get("maxmemory_policy")
    return policy if isinstance(policy, str) else None


def read_queue_lengths(url: str, queues: Sequence[str]) -> dict[str, int] | None:
    """Return how many messages wait in each queue, None while the broker is away."""
    try:
        with connect(url) as client, client.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
            lengths = pipeline.execute()
    except (redis.RedisError, OSError, ValueError):
        return None
    return {queue: int(length) for queue, length in zip(queues, lengths, strict=True)}
