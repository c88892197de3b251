"""The production shape, checked without containers."""

import re
from pathlib import Path

import pytest
import yaml

from api.runtime.children import build_children
from api.settings import Settings
from tests.e2e.compose import COMPOSE, expand, read_services

VARIABLES = {"POSTGRES_PASSWORD": "pw", "PAPERFEED_SECRET_KEY": "k" * 40}
SERVICES = read_services(VARIABLES)


def test_the_two_redis_have_the_right_eviction_settings() -> None:
    assert SERVICES["cache"].command[-2:] == ("--maxmemory-policy", "allkeys-lru")
    assert "--maxmemory" in SERVICES["cache"].command
    assert SERVICES["broker"].command[-2:] == ("--maxmemory-policy", "noeviction")


def test_there_is_one_beat_and_more_than_one_worker() -> None:
    assert SERVICES["beat"].replicas == 1
    assert SERVICES["worker"].replicas > 1
    assert int(SERVICES["api"].environment["PAPERFEED_API_PROCESSES"]) > 1


def test_the_secrets_have_no_default() -> None:
    for name in VARIABLES:
        with pytest.raises(KeyError, match=name):
            read_services({key: value for key, value in VARIABLES.items() if key != name})


def test_what_a_proxy_and_a_new_key_need_can_be_set() -> None:
    names = ("PAPERFEED_OLD_SECRET_KEYS", "PAPERFEED_TRUSTED_PROXIES", "PAPERFEED_CORS_ORIGINS")
    assert [SERVICES["api"].environment[name] for name in names] == ["", "", ""]


def test_every_service_sees_the_same_stores() -> None:
    ours = [SERVICES[name] for name in ("migrate", "start", "api", "worker", "trainer", "fetcher", "beat")]
    assert len({tuple(sorted(service.environment.items())) for service in ours}) == 1
    settings = Settings.model_validate(
        {name.removeprefix("PAPERFEED_").lower(): value for name, value in ours[0].environment.items()}
    )
    assert not settings.is_embedded
    assert settings.secret_key is not None


def test_workers_are_started_as_in_the_embedded_mode() -> None:
    embedded = {spec.role: tuple(spec.command) for spec in build_children(Settings(data_dir=Path("/d")), is_empty=True)}
    for role in ("worker", "trainer", "fetcher"):
        ours, theirs = SERVICES[role].command, embedded[role]
        assert ours[ours.index("-Q") + 1] == theirs[theirs.index("-Q") + 1]
        assert {"--without-mingle", "--without-gossip"} <= set(ours) & set(theirs)


def test_every_variable_of_the_file_is_explained_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    example = (COMPOSE.parent / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == used


def test_every_long_running_service_restarts() -> None:
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    restarts = {name: body["restart"] for name, body in document["services"].items()}
    assert {name for name, value in restarts.items() if value == "no"} == {"migrate", "start"}


def test_variables_are_filled_as_compose_does() -> None:
    assert expand("${A:-x} ${B:-x} $$(hostname)", {"A": "1"}) == "1 x $(hostname)"


def test_the_image_does_not_run_as_root() -> None:
    dockerfile = (COMPOSE.parent / "Dockerfile").read_text(encoding="utf-8")
    assert len(re.findall(r"^FROM ", dockerfile, re.MULTILINE)) == 2
    assert re.search(r"^USER paperfeed$", dockerfile, re.MULTILINE)
    assert "--require-hashes -r requirements/runtime.txt" in dockerfile
