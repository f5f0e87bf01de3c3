from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.files import read_compose
from infra.checks.compose import check_compose
from infra.domain.release import ImageRef, build_release
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = """
x-base: &base
  read_only: true
  user: "4711"
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 200
  tmpfs: ["/tmp:size=32m"]
  logging: {driver: json-file, options: {max-size: 5m, max-file: "2"}}
  stop_grace_period: 3m
  labels:
    - com.example.team=copilot
x-env: &env
  - APP_VERSION=@VERSION@
  - LOG_LEVEL
  - DATABASE_URL=${DATABASE_URL}
services:
  intake:
    <<: *base
    environment: *env
    volumes: [uploads:/srv/uploads]
    healthcheck: {test: "curl -f http://localhost:9100/ready || exit 1", interval: 10s}
    networks: {front: {aliases: ["@PROJECT@-intake"]}, data: {}}
  reasoner:
    <<: *base
    environment:
      - INTAKE_URL=http://@PROJECT@-intake:9100
      - OPENAI_API_KEY
    networks: [front, data]
    healthcheck: {test: "curl -f http://localhost:9200/ready || exit 1"}
    depends_on:
      intake:
        condition: service_healthy
  ticker:
    <<: *base
    command: python -m copilot.ticker
    volumes: [uploads:/srv/uploads]
    networks: [data]
    healthcheck: {test: "test -f /srv/uploads/tick"}
networks:
  front: {external: true}
  data: {external: true}
volumes:
  uploads: {external: true, name: acp-local-uploads}
"""
SOURCES = {"context": "/srv/copilot", "dockerfile": "/srv/copilot/docker/Dockerfile"}
ASKED = {"readiness": {"path": "/ready", "field": "state", "equals": "UP"}, "health": {"path": "/healthz"}}
SERVICES = {
    "acp-ingest": {
        "image": "intake",
        "compose_service": "intake",
        "port": 9100,
        "routes": {"public_port": 8000, "path_prefixes": ["/"]},
        **ASKED,
    },
    "acp-agents": {
        "image": "reasoner",
        "compose_service": "reasoner",
        "port": 9200,
        "routes": {"public_port": 8001, "path_prefixes": ["/api/v1/jobs"]},
        **ASKED,
    },
    "ticker": {"image": "intake", "compose_service": "ticker", "role": "worker"},
}


def test_another_app_in_another_style_is_accepted(tmp_path: Path) -> None:
    """Lists for mappings, anchors, health checks as text, other names and ports, a sidecar and a volume of its own."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    settings = make_settings(
        compose_file=str(tmp_path / "compose.yaml"),
        images={name: {**SOURCES, "target": name} for name in ("intake", "reasoner")},
        services=SERVICES,
        environment={"LOG_LEVEL": "INFO"},
        core={"volumes": ["postgres", "redis", "uploads"]},
    )
    template = read_compose(settings.compose_file)
    check_compose(settings, template, None)
    images = {
        name: ImageRef(name=name, repository=f"r.test/acp/{name}", tag="v7", digest=f"sha256:{'a' * 64}")
        for name in settings.images
    }
    spec = build_release(settings, template, images, version="v7", fingerprints={}).spec
    services = spec["compose"]["services"]
    assert [services[name]["image"].partition("@")[0] for name in services] == [
        "r.test/acp/intake",
        "r.test/acp/reasoner",
        "r.test/acp/intake",
    ]
    assert services["intake"]["environment"]["APP_VERSION"] == "v7"
    assert services["intake"]["environment"]["LOG_LEVEL"] == "INFO"
    (alias,) = next(net["aliases"] for net in services["intake"]["networks"].values() if net.get("aliases"))
    assert services["reasoner"]["environment"]["INTAKE_URL"] == f"http://{alias}:9100"
