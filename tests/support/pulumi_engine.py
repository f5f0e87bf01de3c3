"""A Pulumi engine that makes nothing and remembers everything: what was registered, how, and what was exported."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.stack import run_pulumi_func
from pulumi.runtime.sync_await import _sync_await

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pulumi

PROJECT = "analyst-copilot"
STACK = "local"
ORGANIZATION = "organization"
STACK_URN_PREFIX = f"urn:pulumi:{STACK}::{PROJECT}::"
AGENT = f"{STACK_URN_PREFIX}acp:hosts:HostAgent::h1-agent"
UNKNOWN = rpc.UNKNOWN
SECRET_MARK = {rpc._special_sig_key: rpc._special_secret_sig}


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine was told to keep secret."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One resource as the program registered it; `inputs` has secrets as `Secret` and unknown values as `UNKNOWN`."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One stack output."""

    value: Any
    known: bool
    secret: bool


@dataclass(slots=True, kw_only=True)
class Recording:
    """What one run of the program did."""

    resources: dict[str, Registration] = field(default_factory=dict)
    invokes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, Exported] = field(default_factory=dict)
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    error_hooks: dict[str, pulumi.ErrorHook] = field(default_factory=dict)

    def named(self, name: str) -> Registration:
        """Return the one resource of that name."""
        (found,) = [resource for resource in self.resources.values() if resource.name == name]
        return found

    def of_type(self, token: str) -> list[Registration]:
        """Return the resources of one type, in the order of their names."""
        return sorted((r for r in self.resources.values() if r.type == token), key=lambda r: r.name)

    def waits_for(self, later: str, earlier: str) -> bool:
        """Return whether `later` is made after `earlier`: a resource waits for what it and its parents depend on."""
        goal = self.named(earlier).urn
        pending, seen = {self.named(later).urn}, set()
        while pending:
            urn = pending.pop()
            if urn == goal:
                return True
            if urn not in seen and urn in self.resources:
                seen.add(urn)
                pending |= self.resources[urn].dependencies | {self.resources[urn].parent}
        return False


class RecordingEngine(mocks.MockMonitor):
    """The engine's side of a run; `outputs_of` says what a made resource answers, by type."""

    def __init__(
        self,
        outputs_of: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]],
        stack_outputs: Mapping[str, Any],
        *,
        left: Mapping[str, Mapping[str, Any]],
        preview: bool,
    ) -> None:
        """Prepare a run over a stack with these outputs of its last update; `left` of it are resources with theirs."""
        super().__init__(_NoMocks())
        self._outputs_of = outputs_of
        self._stack_outputs = stack_outputs
        self._preview = preview
        self._left = left
        self.recording = Recording()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN as the real engine makes it: with the types of all parents but the stack."""
        above = parent.split("::")[2] if parent else ""
        chain = f"{above}${type_}" if above and above != "pulumi:pulumi:Stack" else type_
        return f"urn:pulumi:{STACK}::{PROJECT}::{chain}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        """Record a resource and answer with its outputs; in a preview only with what went in."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return mocks.resource_pb2.RegisterResourceResponse(urn=urn)
        wire = json_format.MessageToDict(request.object)
        self.recording.resources[urn] = Registration(
            type=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            inputs=_marked(wire),
            dependencies=frozenset(request.dependencies),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            ignore_changes=tuple(request.ignoreChanges),
            secret_outputs=tuple(request.additionalSecretOutputs),
            provider=request.provider,
        )
        state = dict(wire)
        if not self._preview and request.type in self._outputs_of:
            state |= self._outputs_of[request.type](_plain(wire))
        secret = {name for name in request.additionalSecretOutputs if name in state}
        state |= {name: {**SECRET_MARK, "value": state[name]} for name in secret if not _is_secret(state[name])}
        return mocks.resource_pb2.RegisterResourceResponse(
            urn=urn, id="" if self._preview else f"id-of-{request.name}", object=_struct(state)
        )

    def _resources(self) -> dict[str, Any]:
        """Return the resources of the last update as the real engine tells them."""
        return {urn: {"type": urn.split("::")[2], "outputs": dict(told)} for urn, told in self._left.items()}

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        """Record the outputs of a component."""
        self.recording.component_outputs[request.urn] = _plain(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        """Answer a function call."""
        arguments = _plain(json_format.MessageToDict(request.args))
        self.recording.invokes.append((request.tok, arguments))
        if request.tok == "pulumi:pulumi:readStackOutputs":
            answer = {"name": arguments["name"], "outputs": dict(self._stack_outputs), "secretOutputNames": []}
        elif request.tok == "pulumi:pulumi:readStackResourceOutputs":
            answer = {"name": arguments["stackName"], "outputs": self._resources()}
        else:
            answer = self._outputs_of[request.tok](arguments)
            if "failure" in answer:
                failure = mocks.provider_pb2.CheckFailure(property="", reason=answer["failure"])
                return mocks.resource_pb2.ResourceInvokeResponse(failures=[failure])
        return mocks.resource_pb2.ResourceInvokeResponse(**{"return": _struct(answer)})


class _NoMocks(mocks.Mocks):
    """The recording engine answers itself."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        """Refuse."""
        raise AssertionError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        """Refuse."""
        raise AssertionError(args.typ)


def run_program(
    program: Callable[[], None],
    outputs_of: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]],
    *,
    stack_outputs: Mapping[str, Any] | None = None,
    left: Sequence[str] | dict[str, Any] = (AGENT,),
    preview: bool = False,
) -> Recording:
    """Run `program` as `pulumi up` (or `preview`) would, and return what it registered, exported and said.

    `stack_outputs` are those of the last update, `left` the URNs that are still in the state since then, with
    their outputs where these matter.
    """
    kept = left if isinstance(left, dict) else {urn: {} for urn in left}
    engine = RecordingEngine(outputs_of, stack_outputs or {}, left=kept, preview=preview)
    logger = logging.getLogger("tests.support.pulumi_engine")
    logger.setLevel(logging.INFO)
    logger.handlers = [_Lines(engine.recording.log)]
    mocks.set_mocks(
        mocks=_NoMocks(),
        project=PROJECT,
        stack=STACK,
        preview=preview,
        logger=logger,
        monitor=engine,
        organization=ORGANIZATION,
    )
    settings.SETTINGS.rpc_manager.clear()
    settings.SETTINGS.outputs.clear()
    settings.SETTINGS.callbacks = _Callbacks(engine.recording)
    stack = settings.get_root_resource()
    assert stack is not None
    stack.outputs = {}

    async def whole() -> None:
        await run_pulumi_func(program)
        for name, output in stack.outputs.items():
            known = await output.is_known()
            engine.recording.exports[name] = Exported(
                value=await output.future() if known else None, known=known, secret=await output.is_secret()
            )

    _sync_await(whole())
    return engine.recording


def secret(value: Any) -> dict[str, Any]:
    """Return `value` as a secret in a stack's outputs."""
    return {**SECRET_MARK, "value": value}


class _Callbacks:
    """Where a program registers its hooks."""

    def __init__(self, recording: Recording) -> None:
        """Keep the hooks in `recording`."""
        self._recording = recording

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """Keep one hook by its name."""
        self._recording.error_hooks[hook.name] = hook


class _Lines(logging.Handler):
    """Keeps the messages."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self._lines.append(record.getMessage())


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig


def _marked(value: Any) -> Any:
    """Return a value off the wire with its secrets as `Secret`."""
    if _is_secret(value):
        return Secret(_marked(value["value"]))
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return a value off the wire as a provider sees it."""
    if _is_secret(value):
        return _plain(value["value"])
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def unmarked(value: Any) -> Any:
    """Return recorded inputs with the secrets' values in place."""
    if isinstance(value, Secret):
        return unmarked(value.value)
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items()}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


def in_clear(value: Any) -> Any:
    """Return recorded inputs as a reader of the state without the passphrase sees them."""
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, dict):
        return {key: in_clear(item) for key, item in value.items()}
    return [in_clear(item) for item in value] if isinstance(value, list) else value


def _struct(value: dict[str, Any]) -> Any:
    return json_format.ParseDict(value, rpc.struct_pb2.Struct())


__all__ = ["UNKNOWN", "Recording", "Registration", "Secret", "in_clear", "run_program", "secret", "unmarked"]
