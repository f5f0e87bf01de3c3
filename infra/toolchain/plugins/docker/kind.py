"""What the plugin's resources have in common: each is made, replaced and removed, never changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from infra.toolchain.plugins.common.values import Properties, unknown, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.plugins.docker.engine import Engine

SCHEMA_VERSION = {"__meta": '{"schema_version":"1"}'}


class Kind(ABC):
    """One kind of Docker object."""

    inputs: ClassVar[frozenset[str]]
    computed: ClassVar[frozenset[str]]
    defaults: ClassVar[dict[str, str]]

    @abstractmethod
    def create(self, engine: Engine, inputs: dict[str, Any]) -> str:
        """Make the object and return its id; raise `EngineError` as the engine does."""

    @abstractmethod
    def read(self, engine: Engine, object_id: str) -> dict[str, Any] | None:
        """Return the object's outputs, or None if it is gone."""

    @abstractmethod
    def remove(self, engine: Engine, object_id: str, pause: Callable[[float], bool]) -> None:
        """Remove the object, waiting while it is in use."""

    def previewed(self, inputs: Properties) -> Properties:
        """Return what a preview knows: the inputs; the engine computes the rest."""
        return {**{key: unknown() for key in self.computed}, **inputs}

    def state(self, outputs: dict[str, Any]) -> Properties:
        """Return an object's outputs as state."""
        return {key: wrap(value) for key, value in {**outputs, **SCHEMA_VERSION}.items()}
