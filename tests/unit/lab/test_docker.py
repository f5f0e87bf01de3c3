from __future__ import annotations

from infra.lab.docker import parse_image_ids

LISTING = """debian trixie-slim <none> sha256:1
172.28.11.2:5000/acp/app v1 sha256:aa sha256:2
172.28.11.2:5000/acp/app <none> sha256:bb sha256:3
<none> <none> <none> sha256:4
"""


def test_every_image_has_a_name_docker_takes() -> None:
    """An image whose tag moved on is named by its digest, and one without any name is left out."""
    assert parse_image_ids(LISTING) == {
        "debian:trixie-slim": "sha256:1",
        "172.28.11.2:5000/acp/app:v1": "sha256:2",
        "172.28.11.2:5000/acp/app@sha256:bb": "sha256:3",
    }
