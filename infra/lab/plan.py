"""The address plan of a lab: what stands where, from its number and the mode alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_NUMBER = 11
LAST_NUMBER = 250
FIRST_HOST = 11
MAX_HOSTS = 32
SSH_PORT = 22
PUBLIC_PORTS = (80, 443, 8000, 8001)
PUBLISHED_PORTS = (SSH_PORT, *PUBLIC_PORTS)
REGISTRY_PORT = 5000
MODEL_PORT = 8080
_PORTS_START = 20_000


class AddressMode(StrEnum):
    """How hosts are reached: each on a loopback address of its own, or all on 127.0.0.1 with ports of their own."""

    LOOPBACK = "loopback"
    PORTS = "ports"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """Every address of lab `number` (11..250); hosts are counted from 1."""

    number: int
    mode: AddressMode = AddressMode.LOOPBACK

    @property
    def network(self) -> str:
        """Name of the docker bridge, which every other name starts with."""
        return f"acp-lab-{self.number}"

    @property
    def subnet(self) -> str:
        """The bridge's IPv4 subnet."""
        return f"172.28.{self.number}.0/24"

    @property
    def registry_address(self) -> str:
        """IPv4 address of the registry on the bridge."""
        return f"172.28.{self.number}.2"

    @property
    def registry_server(self) -> str:
        """Registry server as it stands in image names (not in 127.0.0.0/8, which Docker would not verify)."""
        return f"{self.registry_address}:{REGISTRY_PORT}"

    @property
    def model_address(self) -> str:
        """IPv4 address of the model endpoint on the bridge."""
        return f"172.28.{self.number}.3"

    @property
    def model_url(self) -> str:
        """Base URL of the OpenAI-compatible API."""
        return f"http://{self.model_address}:{MODEL_PORT}/v1"

    def container(self, role: str) -> str:
        """Return the container name of `role` ("registry", "model", "h1")."""
        return f"{self.network}-{role}"

    def host_name(self, index: int) -> str:
        """Return the name of host `index`."""
        return f"h{index}"

    def host_bridge_address(self, index: int) -> str:
        """Return the IPv4 address of host `index` on the bridge."""
        return f"172.28.{self.number}.{FIRST_HOST + index - 1}"

    def host_address(self, index: int) -> str:
        """Return the loopback address on which host `index` is published."""
        if self.mode is AddressMode.PORTS:
            return "127.0.0.1"
        return f"127.0.{self.number}.{FIRST_HOST + index - 1}"

    def host_port(self, index: int, port: int) -> int:
        """Return the published port for `port` of host `index`: the same one, unless the mode is `ports`."""
        if self.mode is AddressMode.LOOPBACK:
            return port
        width = len(PUBLISHED_PORTS)
        lab_start = _PORTS_START + (self.number - FIRST_NUMBER) * MAX_HOSTS * width
        return lab_start + (index - 1) * width + PUBLISHED_PORTS.index(port)
