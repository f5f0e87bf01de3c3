"""The container of the model endpoint, and whether it answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx

from infra.lab.seed import derive, read_seed
from infra.lab.spec import ContainerSpec

if TYPE_CHECKING:
    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan

DELAY_SETTING = "MODEL_DELAY_SECONDS"


def spec(folder: LabFolder, plan: AddressPlan, image: str) -> ContainerSpec:
    """Return the model endpoint's container; a chat answer takes `MODEL_DELAY_SECONDS` (default 2)."""
    return ContainerSpec(
        name=plan.container("model"),
        image=image,
        network=plan.network,
        address=plan.model_address,
        environment={
            "OPENAI_API_KEY": derive(read_seed(folder.path), "OPENAI_API_KEY"),
            DELAY_SETTING: os.environ.get(DELAY_SETTING, "2"),
        },
        flags=("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    )


def answers(plan: AddressPlan) -> bool:
    """Say whether the endpoint answers."""
    try:
        url = plan.model_url.removesuffix("/v1") + "/health"
        return httpx.get(url, timeout=3, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
