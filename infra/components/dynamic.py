"""What our dynamic providers share: keyed replacement, clean errors, lines shown as they come."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider

from infra.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi
    from pulumi.dynamic import Resource

KEYS = ("release", "run_id")


class KeyedProvider(ResourceProvider):
    """Runs once per release and run id; a failed run leaves nothing in the state, so the next update runs it again.

    Replacement deletes first: the engine keeps the inputs of a failed *update*, and going back to them would not run
    the check.
    """

    serialize_as_secret_always = False

    @abstractmethod
    def perform(self, props: dict[str, Any]) -> dict[str, Any]:
        """Do the work and return the outputs; raise a `ReleaseError` to fail the update."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace when the release or the run id differs, and for no other reason."""
        changed = [key for key in KEYS if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Perform the work; the id is the run's."""
        show_errors_once()
        hear_cancel()
        outputs = self.perform({key: value for key, value in props.items() if not key.startswith("__")})
        return CreateResult(id_=f"{props['release']}.{props['run_id']}", outs={**props, **outputs})


def show_errors_once() -> None:
    """Leave errors to the engine, which shows their message; gRPC's own log would add a traceback to it."""
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)


def hear_cancel() -> None:
    """Let a rollout in this process know when the engine cancels the update; the SDK keeps that to itself.

    gRPC has bound the SDK's method before any of our code runs: what the method does can still be changed.
    """
    servicer = getattr(sys.modules["__main__"], "DynamicResourceProviderServicer", None)
    if servicer is not None:
        servicer.Cancel.__code__ = _cancel.__code__


def _cancel(_servicer: Any, _request: Any, _context: Any) -> Any:
    """Answer the engine's `Cancel`; this runs with the globals of the SDK's module, so it imports what it needs."""
    from google.protobuf.empty_pb2 import Empty  # noqa: PLC0415 - see above

    from infra.rollout.cancellation import cancel  # noqa: PLC0415 - see above

    cancel()
    return Empty()


def is_same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two resources, by their inputs or outputs, are of the same release and run."""
    return all(one.get(key) == other.get(key) for key in KEYS)


def run_of(resource: Resource) -> dict[str, pulumi.Output[str]]:
    """Return release and run that a resource was made for, as it says them itself: see `require_same_run`."""
    return {key: getattr(resource, key) for key in KEYS}


def require_same_run(before: Mapping[str, Any], this: Mapping[str, Any], *, done: str) -> None:
    """Raise `ReleaseError` when the resource that this one stands behind was made for another release or run.

    So it is in an update of a part (`--target`, `--exclude`): what it leaves out keeps the outputs of the run before.
    """
    if not is_same_run(before, this):
        seen, wanted = (f"{run.get('release') or 'nothing'} (run {run.get('run_id') or '-'})" for run in (before, this))
        raise ReleaseError(
            f"{done} {seen}, not {wanted}",
            where="an update of a part of the stack",
            mend="`pulumi up --stack STACK` without `--target` and `--exclude`: a part of an update makes no release",
        )


def load_ahead(module: str) -> threading.Thread:
    """Import what the update needs next beside what it does now; return the thread that does it."""
    thread = threading.Thread(target=import_module, args=(module,), name=f"load {module}", daemon=True)
    thread.start()
    return thread


def show(message: str) -> None:
    """Show a line in the update's output now; where the engine is gone, nobody reads it, and the work goes on."""
    with contextlib.suppress(OSError):
        print(message, flush=True)  # noqa: T201 - the engine shows a dynamic provider's standard output live
