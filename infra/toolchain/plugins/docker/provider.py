"""The `docker` provider: its configuration, and each request handed to its kind of object."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi.provider.experimental import provider as sdk

from infra.toolchain.plugins.common.deadline import deadline
from infra.toolchain.plugins.common.diffing import diff_response
from infra.toolchain.plugins.common.failure import PluginError, terraform_error
from infra.toolchain.plugins.common.values import own_type, plain_properties, wrap
from infra.toolchain.plugins.docker.address import DEFAULT_HOST, parse_address
from infra.toolchain.plugins.docker.comparison import changed_inputs
from infra.toolchain.plugins.docker.engine import Engine, EngineError, connected
from infra.toolchain.plugins.docker.naming import checked_inputs, named_by_user
from infra.toolchain.plugins.docker.network import Network
from infra.toolchain.plugins.docker.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.plugins.common.engine_log import EngineLog
    from infra.toolchain.plugins.docker.kind import Kind

VERSION = "5.2.0"
GET_REGISTRY_IMAGE = "docker:index/getRegistryImage:getRegistryImage"
WORKERS = 32

Result = TypeVar("Result")


class DockerProvider(sdk.Provider):
    """Serves networks, volumes and `getRegistryImage`; the host is only reached when something is made or removed."""

    def __init__(self, log: EngineLog) -> None:  # noqa: ARG002 - every plugin gets one
        """Know the kinds; nothing is opened."""
        self._kinds: dict[str, tuple[str, Kind]] = {
            "docker:index/network:Network": ("network", Network()),
            "docker:index/volume:Volume": ("volume", Volume()),
        }
        self._config: dict[str, Any] = {}
        self._cancelled = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS)

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002
        """Return the smallest schema: the SDKs are the official ones."""
        return sdk.GetSchemaResponse(schema=json.dumps({"name": "docker", "version": VERSION}))

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Keep the configuration; lists come as JSON texts."""
        self._config = plain_properties(request.args)
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Fill in defaults and names."""
        return sdk.CheckResponse(inputs=checked_inputs(request, self._kind(request.type)[1].defaults))

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Find what changed; any change is a replacement, the old object first unless its name was given here."""
        kind = self._kind(request.type)[1]
        # The engine has put ignored inputs back to what they were, but the object may differ from that.
        ignored = {path.partition(".")[0].partition("[")[0] for path in request.ignore_changes}
        kinds = changed_inputs(
            plain_properties(request.old_state),
            plain_properties(request.new_inputs),
            keys=sorted(kind.inputs - ignored),
            computed=kind.computed,
        )
        return diff_response(kinds, replacing=kind.inputs, delete_first=named_by_user(request.new_inputs))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make the object."""
        what, kind = self._kind(request.type)
        if request.preview:
            return sdk.CreateResponse(resource_id="", properties=kind.previewed(request.properties))
        inputs = plain_properties(request.properties)

        def make(engine: Engine) -> tuple[str, dict[str, Any]]:
            try:
                object_id = kind.create(engine, inputs)
            except EngineError as error:
                message = f"Unable to create {what}: {error}"
                raise PluginError(message) from None
            return object_id, kind.read(engine, object_id) or {}

        object_id, outputs = await self._with_engine("creating", request.urn, request.timeout, make)
        return sdk.CreateResponse(resource_id=object_id, properties=kind.state(outputs))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Return the object as it is now; no id when it is gone."""
        kind = self._kind(request.type)[1]
        outputs = await self._with_engine(
            "refreshing", request.urn, 0, lambda engine: kind.read(engine, request.resource_id)
        )
        if outputs is None:
            return sdk.ReadResponse(resource_id="")
        wanted = {key: wrap(value) for key, value in outputs.items() if key in kind.inputs and value}
        return sdk.ReadResponse(
            resource_id=request.resource_id, properties=kind.state(outputs), inputs=request.inputs or wanted
        )

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove the object, waiting at most 30 s while it is in use."""
        kind = self._kind(request.type)[1]
        await self._with_engine(
            "deleting",
            request.urn,
            request.timeout,
            lambda engine: kind.remove(engine, request.resource_id, self._cancelled.wait),
        )

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Look up the digest of a published tag."""
        if request.tok != GET_REGISTRY_IMAGE:
            message = f"function {request.tok} is not in this drop-in plugin; it has {GET_REGISTRY_IMAGE}"
            raise PluginError(message)
        from infra.toolchain.plugins.docker.lookup import registry_image  # noqa: PLC0415 - loads the TLS library

        arguments = plain_properties(request.args)
        found = await self._in_thread(lambda: registry_image(arguments, self._list("registryAuth")))
        return sdk.InvokeResponse(return_value={key: wrap(value) for key, value in found.items()})

    async def cancel(self) -> None:
        """Stop waiting for objects in use."""
        self._cancelled.set()

    async def _with_engine(
        self, action: str, urn: str, timeout_seconds: float, work: Callable[[Engine], Result]
    ) -> Result:
        """Connect to the engine and do `work`, in a thread; failures are told as Terraform's."""
        address = parse_address(self._config.get("host") or DEFAULT_HOST, tuple(self._list("sshOpts")))

        def connect_and_work() -> Result:
            with connected(address) as engine:
                return work(engine)

        try:
            async with deadline(timeout_seconds):
                return await self._in_thread(connect_and_work)
        except (PluginError, EngineError) as error:
            raise terraform_error(action, urn, str(error)) from None

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Do blocking work in a thread of this provider's own."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _list(self, key: str) -> list[Any]:
        """Return a list of the configuration."""
        value = self._config.get(key) or []
        return json.loads(value) if isinstance(value, str) else value

    def _kind(self, token: str) -> tuple[str, Kind]:
        """Return the kind of a type token, with its name in messages."""
        token = own_type(token)
        if token not in self._kinds:
            message = f"resource type {token} is not in this drop-in plugin; it has {', '.join(self._kinds)}"
            raise PluginError(message)
        return self._kinds[token]
