"""A small valid stack, to be bent by each test."""

from __future__ import annotations

import copy
from typing import Any

from infra.settings import Settings

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEZha2VLZXlPZkFUZXN0SG9zdE9ubHkAAAAA"

_VALUES: dict[str, Any] = {
    "hosts": [
        {"name": "h1", "address": "127.0.11.11", "host_key": HOST_KEY},
        {"name": "h2", "address": "127.0.11.12", "host_key": HOST_KEY},
    ],
    "ssh": {"setup_key_file": "keys/setup", "deploy_key_file": "keys/deploy"},
    "registry": {"server": "registry.test:5000"},
    "images": {
        "acp-ingest": {"context": "compose/reference", "dockerfile": "compose/reference/ingest.Dockerfile"},
        "acp-agents": {"context": "compose/reference", "dockerfile": "compose/reference/agents.Dockerfile"},
    },
    "services": {
        "acp-ingest": {
            "image": "acp-ingest",
            "compose_service": "ingest",
            "port": 8000,
            "routes": {"public_port": 8000, "path_prefixes": ["/"], "repeatable_paths": ["/api/v1/search"]},
        },
        "acp-worker": {
            "image": "acp-ingest",
            "compose_service": "worker",
            "role": "worker",
            "drain_timeout_seconds": 120,
        },
        "acp-agents": {
            "image": "acp-agents",
            "compose_service": "agents",
            "port": 8001,
            "routes": {"public_port": 8001, "path_prefixes": ["/api/v1/jobs"]},
        },
    },
    "environment": {"LOG_LEVEL": "INFO"},
    "secrets": {"prefix": "LOCAL_"},
}


def stack_values(**changes: Any) -> dict[str, Any]:
    """Return the values of a valid stack, top-level keys replaced by `changes`; None removes a key."""
    values = {**copy.deepcopy(_VALUES), **changes}
    return {key: value for key, value in values.items() if value is not None}


INVENTORY: dict[str, Any] = {
    "hosts": [{"name": "lab1", "address": "127.0.11.11", "port": 22, "user": "deploy", "host_key": HOST_KEY}],
    "registry": {"server": "172.28.11.2:5000", "username": "acp", "ca_file": ".lab/ca.pem"},
    "ssh": {"setup_key_file": ".lab/keys/setup", "deploy_key_file": ".lab/keys/deploy"},
    "environment": {"LLM_ENDPOINT": "http://172.28.11.3:8080/v1"},
}
"""What a lab writes."""


def stack_config(**changes: Any) -> dict[str, Any]:
    """Return the same as the `config:` mapping of a stack file, with the prefix of each key."""
    return {f"acp:{key}": value for key, value in stack_values(**changes).items()}


def make_settings(**changes: Any) -> Settings:
    """Return the validated settings of the stack `local`."""
    return Settings.model_validate({"stack": "local", **stack_values(**changes)})


def services(**changes: Any) -> dict[str, Any]:
    """Return the values of all services, those of the ingest service replaced by `changes`."""
    return {**copy.deepcopy(_VALUES["services"]), "acp-ingest": service(**changes)}


def service(**changes: Any) -> dict[str, Any]:
    """Return the values of a valid web service."""
    return {**copy.deepcopy(_VALUES["services"]["acp-ingest"]), **changes}
