"""Staging and production of a test: two stack files in the world's copy, one host of its lab each."""

from __future__ import annotations

import copy
import json
import secrets
from typing import TYPE_CHECKING, Any

import yaml

from infra.lab.seed import derive, read_seed
from tests.support.world import CHECKOUT

if TYPE_CHECKING:
    from tests.support.world import World

STACKS = ("staging", "production")
KEYS = {"SETUP_SSH_KEY": "setup", "DEPLOY_SSH_KEY": "deploy", "RELEASE_SSH_KEY": "release"}


def write_stacks(world: World, passphrase: str, backend: str) -> None:
    """Write both stack files and initialise the stacks, as an adopter does once by hand; commit what that left."""
    inventory = json.loads(world.lab.inventory_file.read_text(encoding="utf-8"))
    for index, stack in enumerate(STACKS):
        path = world.path / "stacks" / f"Pulumi.{stack}.yaml"
        path.write_text(yaml.safe_dump(stack_document(world, inventory, stack, index), sort_keys=False), "utf-8")
        environment = dict(world.environment)
        world.environment |= {"PULUMI_BACKEND_URL": backend, "PULUMI_CONFIG_PASSPHRASE": passphrase}
        world.pulumi("stack", "init", stack)
        world.environment = environment
    world.commit("Write the stacks of the workflow tests")


def stack_document(world: World, inventory: dict[str, Any], stack: str, index: int) -> dict[str, Any]:
    """Return the lab's stack file bent to `stack`: its host and secrets named outright, no inventory behind them."""
    local = yaml.safe_load((CHECKOUT / "stacks" / "Pulumi.local.yaml").read_text(encoding="utf-8"))
    config: dict[str, Any] = copy.deepcopy(local["config"])
    for key in ("acp:inventory", "acp:secrets"):
        config.pop(key)
    config["acp:hosts"] = [inventory["hosts"][index]]
    config["acp:registry"] = inventory["registry"]
    config["acp:ssh"] = {
        "setup_key_file": f"~/.ssh/acp_{stack}_setup",
        "deploy_key_file": f"~/.ssh/acp_{stack}_deploy",
    }
    config["acp:secrets"] = {"prefix": f"{stack.upper()}_", "shared": ["OPENAI_API_KEY"]}
    config["acp:environment"]["ENVIRONMENT"] = stack
    config["acp:gate"]["signing"]["release_key_file"] = f"~/.ssh/acp_{stack}_release"
    # What is tested is that the step runs, not how much this machine bears.
    quick = {"duration_seconds": 2, "scenarios": {"search": {"rate": 2, "max_p95_ms": {"search": 5000}}}}
    config["acp:load"] = {**config["acp:load"], "profiles": {"load": quick}}
    if stack == "production":
        config["acp:gate"]["promoted_from"] = "staging"
    return {"config": config}


def secret_values(world: World) -> dict[str, str]:
    """Return random values for the seed's secret names of both stacks, and the lab's own keys under theirs."""
    seed = read_seed(world.lab.path)
    address = world.machines[0].plan.model_url
    values = {"OPENAI_API_KEY": derive(seed, "OPENAI_API_KEY"), "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16)}
    for stack in STACKS:
        database, queue = secrets.token_hex(16), secrets.token_hex(16)
        own = {name: secrets.token_hex(20) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY")}
        own |= {
            "DATABASE_URL": f"postgresql://acp:{database}@postgres:5432/acp",
            "REDIS_URL": f"redis://:{queue}@redis:6379/0",
            "LLM_ENDPOINT": address,
            "EMBEDDING_ENDPOINT": address,
        }
        own |= {name: (world.lab.keys / file).read_text(encoding="utf-8") for name, file in KEYS.items()}
        values |= {f"{stack.upper()}_{name}": value for name, value in own.items()}
    return values
