"""`lab status`: how every part of the lab is, asked of the parts themselves; changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.lab import engine, hosts, model_service, registry
from infra.lab.folder import LabFolder, read_memory

if TYPE_CHECKING:
    from infra.lab.hosts import HostHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """How the lab is; `number` is None when the checkout has none."""

    number: int | None
    engine: bool
    registry: bool
    model: bool
    hosts: tuple[HostHealth, ...]

    @property
    def up(self) -> bool:
        """Whether everything of the lab answers."""
        return self.number is not None and self.registry and self.model and all(host.up for host in self.hosts)

    def to_json(self) -> dict[str, Any]:
        """Return the status as `--json` prints it."""
        return {**asdict(self), "up": self.up, "hosts": [{**asdict(host), "up": host.up} for host in self.hosts]}


def status(folder: LabFolder) -> LabStatus:
    """Ask every part of the lab how it is."""
    memory = read_memory(folder)
    if memory is None:
        return LabStatus(number=None, engine=engine.answers(), registry=False, model=False, hosts=())
    plan = memory.plan
    with ThreadPoolExecutor(max_workers=8) as pool:
        engine_answer = pool.submit(engine.answers)
        registry_answer = pool.submit(registry.answers, folder, plan)
        model_answer = pool.submit(model_service.answers, plan)
        healths = tuple(pool.map(lambda index: hosts.health(plan, index), range(1, memory.hosts + 1)))
    return LabStatus(
        number=memory.number,
        engine=engine_answer.result(),
        registry=registry_answer.result(),
        model=model_answer.result(),
        hosts=healths,
    )
