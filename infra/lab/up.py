"""`lab up`: bring the lab of a checkout to what was asked for, from nothing, from half of it, or after a hard stop."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.errors import RegistryError, SettingsError, ToolError, UsageError
from infra.lab import hosts, model_service, registry
from infra.lab.catalogue import RECIPES
from infra.lab.converge import converge
from infra.lab.docker import docker, labelled, remove
from infra.lab.down import remove_leftovers
from infra.lab.engine import ensure_engine, favour_containers
from infra.lab.folder import LabFolder, Memory, new_identity, read_memory, write_atomically, write_memory
from infra.lab.images import Images
from infra.lab.inventory import make_inventory
from infra.lab.keys import ensure_key
from infra.lab.network import ensure_network
from infra.lab.plan import FIRST_NUMBER, MAX_HOSTS, AddressMode, AddressPlan
from infra.lab.push import push_missing
from infra.lab.signing_keys import ensure_signing_keys
from infra.lab.spec import LABEL_FOLDER, LABEL_LAB
from infra.lab.trivy_database import ensure_database
from infra.lab.trust import distrust, trust
from infra.lab.wait import comes_true
from infra.toolchain.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Collection

    from infra.toolchain.progress import Progress

ANSWER_SECONDS = 30.0
MODE_SETTING = "ACP_LAB_ADDRESSES"


def up(
    folder: LabFolder, count: int | None, progress: Progress, *, library: Collection[str] = tuple(RECIPES)
) -> dict[str, Any]:
    """Bring the lab up with `count` hosts (default: as many as it has, 1 for a new one) and return its inventory.

    Of the public images those that `library` names are put into the registry.
    """
    if count is not None and not 1 <= count <= MAX_HOSTS:
        raise UsageError(f"--hosts must be 1..{MAX_HOSTS} (got {count})")
    mode = wanted_mode()
    ensure_engine(progress)
    folder.prepare()
    with exclusive(folder.path / "lock", on_wait=lambda pid: progress.say(f"lab: waiting for process {pid}")):
        return _Up(folder, count, mode, progress).run(library)


def wanted_mode() -> AddressMode | None:
    """Return the address mode the environment asks for, None without one; raise `SettingsError` for an unknown one."""
    value = os.environ.get(MODE_SETTING)
    if not value:
        return None
    try:
        return AddressMode(value)
    except ValueError:
        problem = f"{MODE_SETTING}: must be loopback or ports (got {value})"
        raise SettingsError("the environment", [problem]) from None


def possible_mode() -> AddressMode:
    """Return `loopback` where this machine has more loopback addresses than 127.0.0.1, else `ports`."""
    address = AddressPlan(number=FIRST_NUMBER).host_address(1)
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return AddressMode.PORTS
    return AddressMode.LOOPBACK


class _Up:
    """One run of `lab up`: every step looks at what is there and does what is missing."""

    def __init__(self, folder: LabFolder, count: int | None, mode: AddressMode | None, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._memory = self._remembered(count, mode)

    @property
    def _plan(self) -> AddressPlan:
        return self._memory.plan

    @property
    def _labels(self) -> dict[str, str]:
        return {LABEL_LAB: self._memory.identity, LABEL_FOLDER: str(self._folder.path)}

    def run(self, library: Collection[str]) -> dict[str, Any]:
        """Do all of it; return the inventory."""
        for name in ("setup", "deploy"):
            ensure_key(self._folder.keys / name, f"acp-{name}")
        ensure_signing_keys(self._folder)
        ensure_database(self._folder)
        authority = registry.ensure_authority(self._folder, self._plan)
        trust(self._plan, authority.certificate, self._folder.ca_file)
        images = Images(self._progress)
        self._run_registry(images, registry.ensure_files(self._folder, self._plan, authority))
        host_keys = self._run_hosts(images, authority.certificate)
        favour_containers()
        self._push(images, library)
        self._run_model(images)
        inventory = make_inventory(self._folder, self._plan, host_keys)
        text = json.dumps(inventory, indent=2) + "\n"
        if not self._folder.inventory_file.exists() or self._folder.inventory_file.read_text("utf-8") != text:
            write_atomically(self._folder.inventory_file, text)
        return inventory

    def _remembered(self, count: int | None, mode: AddressMode | None) -> Memory:
        """Make the network, and return what the lab is from now on; written at once, for a run that is interrupted."""
        old = read_memory(self._folder)
        if old is None:
            self._report(remove_leftovers(self._folder, self._progress))
        identity = old.identity if old else new_identity()
        mode = mode or (old.mode if old else possible_mode())
        preferred = old.number if old else None
        plan = ensure_network(identity, str(self._folder.path), mode, preferred, self._progress)
        if old and plan.number != old.number:
            self._progress.say(f"Network {old.plan.network} was taken meanwhile: the lab moves to {plan.network}.")
            self._leave(old)
        memory = Memory(
            identity=identity,
            number=plan.number,
            mode=mode,
            hosts=count or (old.hosts if old else 1),
            pushed=old.pushed if old and plan.number == old.number else {},
        )
        if memory != old:
            write_memory(self._folder, memory)
        return memory

    def _leave(self, old: Memory) -> None:
        """Remove what stands under the number the lab had."""
        for kind in ("container", "volume"):
            label = f"{LABEL_LAB}={old.identity}"
            remove(kind, [name for name in labelled(kind, label) if name.startswith(f"{old.plan.network}-")])
        self._report(distrust(old.plan))

    def _report(self, commands: list[str]) -> None:
        """Say what only root can do."""
        for command in commands:
            self._progress.say(f"run as root: {command}")

    def _run_registry(self, images: Images, content: str) -> None:
        self._ensure_volumes(registry.volume(self._plan))
        spec = registry.spec(self._folder, self._plan, images.ensure("registry"), content)
        converge([spec], self._labels)
        if not comes_true(lambda: registry.answers(self._folder, self._plan), within_seconds=ANSWER_SECONDS):
            raise RegistryError(
                "the lab's registry does not let its user in",
                where=f"https://{self._plan.registry_server}/v2/",
                mend=f"see `docker logs {spec.name}`",
            )

    def _push(self, images: Images, library: Collection[str]) -> None:
        wanted: dict[str, tuple[str, str]] = {}
        for name in library:
            target = RECIPES[name].pushed_as
            if target is not None:
                local = images.ensure(name)
                wanted[target] = (local, images.identity(local))
        known = self._memory.pushed
        pushed = {**known, **push_missing(self._folder, self._plan, wanted, known, self._progress)}
        if pushed != known:
            self._memory = replace(self._memory, pushed=pushed)
            write_memory(self._folder, self._memory)

    def _run_model(self, images: Images) -> None:
        spec = model_service.spec(self._folder, self._plan, images.ensure("model"))
        converge([spec], self._labels)
        if not comes_true(lambda: model_service.answers(self._plan), within_seconds=ANSWER_SECONDS):
            mend = f"see `docker logs {spec.name}`"
            raise ToolError("the model endpoint does not answer", where=self._plan.model_url, mend=mend)

    def _run_hosts(self, images: Images, authority: str) -> dict[int, str]:
        """See to the hosts, remove those above the count, and return the public host keys by index."""
        image = images.ensure("host")
        indexes = range(1, self._memory.hosts + 1)
        specs = []
        for index in indexes:
            content = hosts.ensure_files(self._folder, self._plan, self._plan.host_name(index), authority)
            specs.append(hosts.spec(self._folder, self._plan, index, image, content))
        self._ensure_volumes(*[volume for index in indexes for volume in hosts.volumes(self._plan, index)])
        if any(action != "nothing" for action in converge(specs, self._labels).values()):
            with self._progress.work("hosts", f"waiting for {len(specs)} to boot"):
                hosts.wait_up(self._plan, indexes)
        else:
            hosts.wait_up(self._plan, indexes)
        self._remove_surplus()
        return {index: hosts.host_key(self._folder, self._plan.host_name(index)) for index in indexes}

    def _ensure_volumes(self, *names: str) -> None:
        """Make the volumes that are missing, labelled so that `lab down` finds them."""
        present = set(labelled("volume", f"{LABEL_LAB}={self._memory.identity}"))
        labels = [word for key, value in self._labels.items() for word in ("--label", f"{key}={value}")]
        for name in names:
            if name not in present:
                docker("volume", "create", *labels, name)

    def _remove_surplus(self) -> None:
        """Remove the hosts above the count, with their data and keys."""
        kept = {self._plan.host_name(index) for index in range(1, self._memory.hosts + 1)}
        prefix = f"{self._plan.network}-"
        for name in labelled("container", f"{LABEL_LAB}={self._memory.identity}"):
            host = name.removeprefix(prefix)
            if host.startswith("h") and host not in kept:
                with self._progress.work(name, "removing it"):
                    remove("container", [name])
                    remove("volume", hosts.volumes(self._plan, int(host[1:])))
                    shutil.rmtree(self._folder.host(host), ignore_errors=True)
