from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.settings import stack_config
from tests.unit.settings.test_load import problems_of

if TYPE_CHECKING:
    from pathlib import Path

TLS = {"certificate_file": "/etc/tls.pem", "server_name": "copilot.example.test"}
OWN = "edge.verify_base_port: {} to {} are for the edge itself"


@pytest.mark.parametrize(
    ("edge", "problems"),
    [
        ({"verify_base_port": 7998}, [f"{OWN.format(7998, 8001)}, and services.acp-ingest.routes.public_port is 8000",
                                      f"{OWN.format(7998, 8001)}, and services.acp-agents.routes.public_port is 8001"]),
        ({"http_port": 18003}, [f"{OWN.format(18000, 18003)}, and edge.http_port is 18003"]),
        ({"https_port": 18003, "tls": TLS}, [f"{OWN.format(18000, 18003)}, and edge.https_port is 18003"]),
        ({"http_port": 443, "tls": TLS}, ["edge.https_port: 443 is `edge.http_port` as well"]),
        ({"http_port": 8404}, ["edge.http_port: 8404 is the port of the edge's metrics"]),
        ({"verify_base_port": 8402}, [f"{OWN.format(8402, 8405)}, and its metrics are at 8404"]),
    ],
)  # fmt: skip
def test_two_listeners_on_one_port_are_refused(tmp_path: Path, edge: dict[str, Any], problems: list[str]) -> None:
    """HAProxy would not start, and by then the host would have been changed."""
    assert list(problems_of(stack_config(edge=edge), tmp_path)) == [f"{text}; choose another" for text in problems]


def test_a_service_may_have_the_shared_port(tmp_path: Path) -> None:
    """One service alone behind port 80 is a stack; only what needs a port for itself is refused."""
    config = stack_config(edge={"http_port": 8000, "https_port": 18000})
    config["acp:version"] = "latest"  # so that there is one problem
    assert len(problems_of(config, tmp_path)) == 1
