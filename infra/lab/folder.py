"""The lab's folder: its layout, its secrets, and what it remembers between runs."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import ToolError
from infra.lab.plan import AddressMode, AddressPlan
from infra.lab.seed import SEED_BYTES
from infra.paths import PROJECT_ROOT

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_atomically(path: Path, text: str, *, mode: int = PRIVATE_FILE) -> None:
    """Replace `path` by `text` in one step, so that a reader sees the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(mode)
    temporary.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFolder:
    """Where a lab keeps its files; `.lab` in the checkout by default."""

    path: Path

    @classmethod
    def default(cls) -> LabFolder:
        """Return the folder of this checkout, or the one `ACP_LAB_DIR` names."""
        return cls(path=Path(os.environ.get("ACP_LAB_DIR") or PROJECT_ROOT / ".lab").resolve())

    @property
    def keys(self) -> Path:
        """Folder of the SSH keys `setup` and `deploy`."""
        return self.path / "keys"

    @property
    def ca_file(self) -> Path:
        """Certificate of the lab's certificate authority."""
        return self.path / "ca.pem"

    @property
    def ca_key_file(self) -> Path:
        """Private key of the lab's certificate authority."""
        return self.path / "ca.key"

    @property
    def registry(self) -> Path:
        """Folder the registry reads: certificate, key and password hashes."""
        return self.path / "registry"

    @property
    def trivy(self) -> Path:
        """Trivy's cache folder with the lab's vulnerability database."""
        return self.path / "trivy"

    @property
    def inventory_file(self) -> Path:
        """What the program reads: hosts, registry, keys, environment."""
        return self.path / "inventory.json"

    @property
    def memory_file(self) -> Path:
        """What the lab remembers between runs."""
        return self.path / "lab.json"

    def host(self, name: str) -> Path:
        """Return the folder that host `name` reads."""
        return self.path / "hosts" / name

    def shown(self, path: Path) -> str:
        """Return `path` as the inventory shows it: relative to the checkout where it lies inside."""
        with contextlib.suppress(ValueError):
            return str(path.relative_to(PROJECT_ROOT))
        return str(path)

    def prepare(self) -> None:
        """Make the folder with the seed and the passphrase; what is there is kept."""
        self.path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        self.path.chmod(PRIVATE_FOLDER)
        for name in ("seed", "passphrase"):
            path = self.path / name
            if not path.exists():
                write_atomically(path, secrets.token_hex(SEED_BYTES) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a lab remembers: who it is, how many hosts it has, and which images its registry holds."""

    identity: str
    number: int
    mode: AddressMode
    hosts: int
    pushed: dict[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> AddressPlan:
        """The address plan of this lab."""
        return AddressPlan(number=self.number, mode=self.mode)


def new_identity() -> str:
    """Return an identity for a new lab."""
    return uuid.uuid4().hex


def read_memory(folder: LabFolder) -> Memory | None:
    """Return what the lab remembers, None without a lab; raise `ToolError` when the file is damaged."""
    try:
        data: dict[str, Any] = json.loads(folder.memory_file.read_text(encoding="utf-8"))
        return Memory(**{**data, "mode": AddressMode(data["mode"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        mend = "run `acp-release lab down`, then `acp-release lab up`"
        raise ToolError("the lab's memory is damaged", where=str(folder.memory_file), mend=mend) from None


def write_memory(folder: LabFolder, memory: Memory) -> None:
    """Keep `memory` for the next run."""
    write_atomically(folder.memory_file, json.dumps(asdict(memory), indent=2) + "\n")
