"""All hosts of a stack in lockstep: a step is over when every host did it, and one failure fails the group."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.errors import HostError, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGroup:
    """The hosts and the lease held on each."""

    clients: Sequence[HostctlClient]
    leases: Mapping[str, Mapping[str, Any]]

    def only(self, names: Collection[str]) -> HostGroup:
        """Return the group of the named hosts."""
        clients = [client for client in self.clients if client.host.name in names]
        return HostGroup(clients=clients, leases=self.leases)

    def each(self, step: Callable[[HostctlClient], dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Run `step` on every host side by side; raise the one error, or one that lists them all."""
        results, errors = self.attempt(step)
        if len(errors) == 1:
            raise next(iter(errors.values()))
        if errors:
            raise HostError(
                "\n".join(str(error.what) for error in errors.values()),
                where=f"hosts {', '.join(errors)}",
                mend="\n         ".join(dict.fromkeys(error.mend for error in errors.values() if error.mend)),
            )
        return results

    def attempt(
        self, step: Callable[[HostctlClient], dict[str, Any]]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, ReleaseError]]:
        """Run `step` on every host side by side; return results and errors by host."""
        results: dict[str, dict[str, Any]] = {}
        errors: dict[str, ReleaseError] = {}
        with ThreadPoolExecutor(max_workers=max(1, len(self.clients))) as pool:
            futures = {client.host.name: pool.submit(step, client) for client in self.clients}
        for name, future in futures.items():
            try:
                results[name] = future.result()
            except ReleaseError as error:
                errors[name] = error
        return results, errors

    def call(
        self, command: str, *, timeout_seconds: float, show: Callable[[str], None] = lambda _: None, **request: Any
    ) -> dict[str, dict[str, Any]]:
        """Send the same request to every host; see `ask`."""
        return self.each(
            lambda client: self.ask(client, command, timeout_seconds=timeout_seconds, show=show, **request)
        )

    def ask(
        self,
        client: HostctlClient,
        command: str,
        *,
        timeout_seconds: float,
        show: Callable[[str], None] = lambda _: None,
        **request: Any,
    ) -> dict[str, Any]:
        """Send a request to one host of the group, with its own lease; `show` gets what it says meanwhile."""
        return client.call(
            command,
            timeout_seconds=timeout_seconds,
            on_progress=lambda _, text: show(f"  {client.host.name}: {text}"),
            lease=self.leases.get(client.host.name),
            **request,
        )
