"""The requests of administrators as values."""

from collections.abc import Mapping, Sequence
from typing import Final

from api.client import admin_values as a
from api.client import values as v
from api.client.calls import Call, as_json, query
from api.client.wire import reader as read_as

RUNS: Final = "/v1/admin/training-runs"
MODELS: Final = "/v1/admin/models"
TOKENS: Final = "/v1/admin/tokens"
LETTERS: Final = "/v1/admin/dead-letters"
SOURCES: Final = "/v1/admin/sources"


def start_training_run() -> Call[a.Run]:
    """`POST /v1/admin/training-runs`."""
    return Call("POST", RUNS, read_as(a.Run), is_repeatable=False)


def list_training_runs(*, limit: int | None = None, cursor: str | None = None) -> Call[a.Runs]:
    """`GET /v1/admin/training-runs`."""
    return Call("GET", RUNS, read_as(a.Runs), params=query(limit=limit, cursor=cursor))


def read_training_run(run_id: int) -> Call[a.Run]:
    """`GET /v1/admin/training-runs/{run_id}`."""
    return Call("GET", RUNS + "/{run_id}", read_as(a.Run), {"run_id": run_id})


def cancel_training_run(run_id: int) -> Call[a.Run]:
    """`POST /v1/admin/training-runs/{run_id}/cancel`."""
    return Call("POST", RUNS + "/{run_id}/cancel", read_as(a.Run), {"run_id": run_id}, is_repeatable=False)


def list_models(*, limit: int | None = None, cursor: str | None = None) -> Call[a.Models]:
    """`GET /v1/admin/models`."""
    return Call("GET", MODELS, read_as(a.Models), params=query(limit=limit, cursor=cursor))


def read_model(version: str) -> Call[a.Model]:
    """`GET /v1/admin/models/{version}`."""
    return Call("GET", MODELS + "/{version}", read_as(a.Model), {"version": version})


def promote_model(version: str) -> Call[a.Serving]:
    """`POST /v1/admin/models/{version}/promote`."""
    return Call("POST", MODELS + "/{version}/promote", read_as(a.Serving), {"version": version}, is_repeatable=False)


def rollback_model() -> Call[a.Serving]:
    """`POST /v1/admin/rollback`; a second one would undo the first."""
    return Call("POST", "/v1/admin/rollback", read_as(a.Serving), is_repeatable=False)


def create_token(*, scopes: Sequence[v.Scope], reader: str | None = None, label: str = "") -> Call[a.NewToken]:
    """`POST /v1/admin/tokens`; without a reader for a service that acts for any."""
    body = as_json({"user_id": reader, "scopes": list(scopes), "label": label})
    return Call("POST", TOKENS, read_as(a.NewToken), body=body, is_repeatable=False)


def list_tokens(*, limit: int | None = None, cursor: str | None = None) -> Call[a.Tokens]:
    """`GET /v1/admin/tokens`."""
    return Call("GET", TOKENS, read_as(a.Tokens), params=query(limit=limit, cursor=cursor))


def revoke_token(token_id: str) -> Call[a.Token]:
    """`DELETE /v1/admin/tokens/{token_id}`."""
    return Call("DELETE", TOKENS + "/{token_id}", read_as(a.Token), {"token_id": token_id})


def list_dead_letters(
    *,
    code: str | None = None,
    reader: str | None = None,
    state: a.LetterState | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[a.DeadLetters]:
    """`GET /v1/admin/dead-letters`."""
    params = query(code=code, reader=reader, state=state, limit=limit, cursor=cursor)
    return Call("GET", LETTERS, read_as(a.DeadLetters), params=params)


def replay_dead_letters(letter_ids: Sequence[int], corrections: Mapping[int, v.Json]) -> Call[a.Replayed]:
    """`POST /v1/admin/dead-letters/replay` with numbers; events keep their ids, so twice counts once."""
    mended = {str(letter_id): fields for letter_id, fields in corrections.items()}
    body = as_json({"ids": list(letter_ids), "corrections": mended})
    return Call("POST", LETTERS + "/replay", read_as(a.Replayed), body=body)


def replay_dead_letters_of(code: str, *, after: int = 0, limit: int = 500) -> Call[a.Replayed]:
    """`POST /v1/admin/dead-letters/replay` with a code."""
    body = as_json({"code": code, "after": after, "limit": limit})
    return Call("POST", LETTERS + "/replay", read_as(a.Replayed), body=body)


def list_sources() -> Call[a.Sources]:
    """`GET /v1/admin/sources`."""
    return Call("GET", SOURCES, read_as(a.Sources))


def read_source(name: str) -> Call[a.Source]:
    """`GET /v1/admin/sources/{name}`."""
    return Call("GET", SOURCES + "/{name}", read_as(a.Source), {"name": name})


def pause_source(name: str) -> Call[a.Source]:
    """`POST /v1/admin/sources/{name}/pause`."""
    return Call("POST", SOURCES + "/{name}/pause", read_as(a.Source), {"name": name})


def resume_source(name: str) -> Call[a.Source]:
    """`POST /v1/admin/sources/{name}/resume`."""
    return Call("POST", SOURCES + "/{name}/resume", read_as(a.Source), {"name": name})


def run_source(name: str) -> Call[a.Source]:
    """`POST /v1/admin/sources/{name}/run`; asked for twice it is read once, unless it was read in between."""
    return Call("POST", SOURCES + "/{name}/run", read_as(a.Source), {"name": name})


def erase_reader(external_user: str) -> Call[a.Erased]:
    """`DELETE /v1/admin/readers/{external_user}`; a second one finds nobody."""
    place = {"external_user": external_user}
    return Call("DELETE", "/v1/admin/readers/{external_user}", read_as(a.Erased), place, is_repeatable=False)


def read_audit_log(*, limit: int | None = None, before: int | None = None) -> Call[a.AuditLog]:
    """`GET /v1/admin/audit-log`."""
    return Call("GET", "/v1/admin/audit-log", read_as(a.AuditLog), params=query(limit=limit, before=before))
