"""The methods for administrators, blocking and asynchronous."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from api.client import admin_calls
from api.client import admin_values as a
from api.client import values as v
from api.client.calls import Call

T = TypeVar("T")


class Ask(Protocol):
    """Sends a call and returns its answer."""

    def __call__(self, call: Call[T]) -> T: ...


class AskAsync(Protocol):
    """Sends a call and returns its answer, later."""

    def __call__(self, call: Call[T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Admin:
    """Retrains, model versions, tokens, rejected events, sources and erased readers."""

    _ask: Ask

    def start_training_run(self) -> a.Run:
        """Queue a retrain; Conflict with its `run_id` while one is in progress."""
        return self._ask(admin_calls.start_training_run())

    def list_training_runs(self, *, limit: int | None = None, cursor: str | None = None) -> a.Runs:
        """Return retrains, newest first."""
        return self._ask(admin_calls.list_training_runs(limit=limit, cursor=cursor))

    def read_training_run(self, run_id: int) -> a.Run:
        """Return a retrain."""
        return self._ask(admin_calls.read_training_run(run_id))

    def cancel_training_run(self, run_id: int) -> a.Run:
        """Cancel a retrain; a running one stops within seconds."""
        return self._ask(admin_calls.cancel_training_run(run_id))

    def list_models(self, *, limit: int | None = None, cursor: str | None = None) -> a.Models:
        """Return model versions, newest first."""
        return self._ask(admin_calls.list_models(limit=limit, cursor=cursor))

    def read_model(self, version: str) -> a.Model:
        """Return a model version."""
        return self._ask(admin_calls.read_model(version))

    def promote_model(self, version: str) -> a.Serving:
        """Let a version answer."""
        return self._ask(admin_calls.promote_model(version))

    def rollback_model(self) -> a.Serving:
        """Let the version answer that did before."""
        return self._ask(admin_calls.rollback_model())

    def create_token(self, *, scopes: Sequence[v.Scope], reader: str | None = None, label: str = "") -> a.NewToken:
        """Make a token: for one reader, or without one for a service that acts for any."""
        return self._ask(admin_calls.create_token(scopes=scopes, reader=reader, label=label))

    def list_tokens(self, *, limit: int | None = None, cursor: str | None = None) -> a.Tokens:
        """Return tokens, oldest first."""
        return self._ask(admin_calls.list_tokens(limit=limit, cursor=cursor))

    def revoke_token(self, token_id: str) -> a.Token:
        """Revoke a token; every process stops accepting it within five seconds."""
        return self._ask(admin_calls.revoke_token(token_id))

    def list_dead_letters(
        self,
        *,
        code: str | None = None,
        reader: str | None = None,
        state: a.LetterState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> a.DeadLetters:
        """Return rejected events, newest first; those that a replay brought in only with the state `all`."""
        call = admin_calls.list_dead_letters(code=code, reader=reader, state=state, limit=limit, cursor=cursor)
        return self._ask(call)

    def replay_dead_letters(
        self, letter_ids: Sequence[int], *, corrections: Mapping[int, v.Json] | None = None
    ) -> a.Replayed:
        """Give rejected events to the intake again; corrections replace fields of an event, by its number."""
        return self._ask(admin_calls.replay_dead_letters(letter_ids, corrections or {}))

    def replay_dead_letters_of(self, code: str, *, after: int = 0, limit: int = 500) -> a.Replayed:
        """Give the rejected events of one code to the intake again; go on after `next_after` until it is None."""
        return self._ask(admin_calls.replay_dead_letters_of(code, after=after, limit=limit))

    def list_sources(self) -> a.Sources:
        """Return where papers come from, and how each source does."""
        return self._ask(admin_calls.list_sources())

    def read_source(self, name: str) -> a.Source:
        """Return one source."""
        return self._ask(admin_calls.read_source(name))

    def pause_source(self, name: str) -> a.Source:
        """Read a source no more until it is resumed."""
        return self._ask(admin_calls.pause_source(name))

    def resume_source(self, name: str) -> a.Source:
        """Read a source again, the first time within a minute."""
        return self._ask(admin_calls.resume_source(name))

    def run_source(self, name: str) -> a.Source:
        """Queue a run of a source, of a paused one as well."""
        return self._ask(admin_calls.run_source(name))

    def erase_reader(self, reader: str) -> a.Erased:
        """Erase a reader with everything that is known of them, events too; NotFound when there is none."""
        return self._ask(admin_calls.erase_reader(reader))

    def read_audit_log(self, *, limit: int | None = None, before: int | None = None) -> a.AuditLog:
        """Return what was done to readers, newest first, without their names."""
        return self._ask(admin_calls.read_audit_log(limit=limit, before=before))


@dataclass(frozen=True, slots=True)
class AsyncAdmin:
    """Retrains, model versions, tokens, rejected events, sources and erased readers."""

    _ask: AskAsync

    async def start_training_run(self) -> a.Run:
        """Queue a retrain; Conflict with its `run_id` while one is in progress."""
        return await self._ask(admin_calls.start_training_run())

    async def list_training_runs(self, *, limit: int | None = None, cursor: str | None = None) -> a.Runs:
        """Return retrains, newest first."""
        return await self._ask(admin_calls.list_training_runs(limit=limit, cursor=cursor))

    async def read_training_run(self, run_id: int) -> a.Run:
        """Return a retrain."""
        return await self._ask(admin_calls.read_training_run(run_id))

    async def cancel_training_run(self, run_id: int) -> a.Run:
        """Cancel a retrain; a running one stops within seconds."""
        return await self._ask(admin_calls.cancel_training_run(run_id))

    async def list_models(self, *, limit: int | None = None, cursor: str | None = None) -> a.Models:
        """Return model versions, newest first."""
        return await self._ask(admin_calls.list_models(limit=limit, cursor=cursor))

    async def read_model(self, version: str) -> a.Model:
        """Return a model version."""
        return await self._ask(admin_calls.read_model(version))

    async def promote_model(self, version: str) -> a.Serving:
        """Let a version answer."""
        return await self._ask(admin_calls.promote_model(version))

    async def rollback_model(self) -> a.Serving:
        """Let the version answer that did before."""
        return await self._ask(admin_calls.rollback_model())

    async def create_token(
        self, *, scopes: Sequence[v.Scope], reader: str | None = None, label: str = ""
    ) -> a.NewToken:
        """Make a token: for one reader, or without one for a service that acts for any."""
        return await self._ask(admin_calls.create_token(scopes=scopes, reader=reader, label=label))

    async def list_tokens(self, *, limit: int | None = None, cursor: str | None = None) -> a.Tokens:
        """Return tokens, oldest first."""
        return await self._ask(admin_calls.list_tokens(limit=limit, cursor=cursor))

    async def revoke_token(self, token_id: str) -> a.Token:
        """Revoke a token; every process stops accepting it within five seconds."""
        return await self._ask(admin_calls.revoke_token(token_id))

    async def list_dead_letters(
        self,
        *,
        code: str | None = None,
        reader: str | None = None,
        state: a.LetterState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> a.DeadLetters:
        """Return rejected events, newest first; those that a replay brought in only with the state `all`."""
        call = admin_calls.list_dead_letters(code=code, reader=reader, state=state, limit=limit, cursor=cursor)
        return await self._ask(call)

    async def replay_dead_letters(
        self, letter_ids: Sequence[int], *, corrections: Mapping[int, v.Json] | None = None
    ) -> a.Replayed:
        """Give rejected events to the intake again; corrections replace fields of an event, by its number."""
        return await self._ask(admin_calls.replay_dead_letters(letter_ids, corrections or {}))

    async def replay_dead_letters_of(self, code: str, *, after: int = 0, limit: int = 500) -> a.Replayed:
        """Give the rejected events of one code to the intake again; go on after `next_after` until it is None."""
        return await self._ask(admin_calls.replay_dead_letters_of(code, after=after, limit=limit))

    async def list_sources(self) -> a.Sources:
        """Return where papers come from, and how each source does."""
        return await self._ask(admin_calls.list_sources())

    async def read_source(self, name: str) -> a.Source:
        """Return one source."""
        return await self._ask(admin_calls.read_source(name))

    async def pause_source(self, name: str) -> a.Source:
        """Read a source no more until it is resumed."""
        return await self._ask(admin_calls.pause_source(name))

    async def resume_source(self, name: str) -> a.Source:
        """Read a source again, the first time within a minute."""
        return await self._ask(admin_calls.resume_source(name))

    async def run_source(self, name: str) -> a.Source:
        """Queue a run of a source, of a paused one as well."""
        return await self._ask(admin_calls.run_source(name))

    async def erase_reader(self, reader: str) -> a.Erased:
        """Erase a reader with everything that is known of them, events too; NotFound when there is none."""
        return await self._ask(admin_calls.erase_reader(reader))

    async def read_audit_log(self, *, limit: int | None = None, before: int | None = None) -> a.AuditLog:
        """Return what was done to readers, newest first, without their names."""
        return await self._ask(admin_calls.read_audit_log(limit=limit, before=before))
