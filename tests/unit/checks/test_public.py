from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.checks.blame import at_fault
from infra.checks.occasion import Occasion
from infra.checks.suite import examine
from infra.checks.target import Target
from tests.support.fake_app import RELEASE, answering
from tests.support.settings import HOST_KEY, make_settings
from tests.support.subject import make_subject

NAME = "copilot.example.test"
REDIRECT = Occasion(checks=("redirect",))
STAY = {"Strict-Transport-Security": '"max-age=31536000"'}


def check(
    *, status: int = 308, location: str = f"https://{NAME}/", hsts: dict[str, str] | None = None
) -> list[tuple[bool, str]]:
    """Return verdict and answer of both questions to an edge that answers HTTP and HTTPS like this."""

    def answer(_method: str, path: str, _body: Any) -> tuple[int, Any, dict[str, str]]:
        if path == "/":
            return status, "", {"Location": location} if location else {}
        return 200, {"status": "healthy"}, STAY if hsts is None else hsts

    with answering(answer) as port:
        host = {"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {80: port}}
        tls = {"certificate_file": "/etc/acp/tls.pem", "server_name": NAME}
        checks = {"timeout_seconds": 1, "suite": {"redirect": {"severity": "critical"}}}
        settings = make_settings(hosts=[host], edge={"tls": tls}, checks=checks)
        service = settings.services["acp-ingest"]
        # What stands behind the TLS of the edge: the certificate is not the question here.
        target = Target(
            name="acp-ingest on h1", service_name="acp-ingest", service=service,
            base_url=f"http://127.0.0.1:{port}", release=RELEASE,
        )  # fmt: skip
        found = examine(replace(make_subject(settings), targets=[target]), REDIRECT)
    assert at_fault(found.results) == ([] if all(result.passed for result in found.results) else ["edge"])
    return [(result.passed, result.came) for result in found.results]


def test_a_redirect_and_a_promise_pass() -> None:
    """HTTP leads to the public name by HTTPS, and HTTPS asks browsers to stay."""
    assert check() == [
        (True, f"status 308 to https://{NAME}/"),
        (True, 'strict-transport-security: "max-age=31536000"'),
    ]


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        pytest.param({"status": 200, "location": ""}, "status 200", id="served in clear"),
        pytest.param({"location": f"http://{NAME}/"}, f"status 308 to http://{NAME}/", id="in clear again"),
        pytest.param({"location": "https://elsewhere.test/"}, "status 308 to https://elsewhere.test/", id="elsewhere"),
        pytest.param({"status": 200}, f"status 200 to https://{NAME}/", id="no redirect"),
    ],
)
def test_a_way_that_does_not_lead_to_https_is_red(answer: dict[str, Any], came: str) -> None:
    """Status and place must both be right."""
    (found, _) = check(**answer)
    assert found == (False, came)


@pytest.mark.parametrize(
    ("hsts", "came"),
    [
        ({}, "strict-transport-security: not there"),
        ({"Strict-Transport-Security": '"max-age=0"'}, 'strict-transport-security: "max-age=0"'),
    ],
)
def test_https_that_does_not_ask_to_stay_is_red(hsts: dict[str, str], came: str) -> None:
    """No header, or one that takes the promise back, is named."""
    (_, found) = check(hsts=hsts)
    assert found == (False, came)


def test_an_app_that_does_not_answer_is_not_the_edges_fault() -> None:
    """Whether HTTPS asks to stay cannot be told of a service that nobody reaches."""
    settings = make_settings(
        hosts=[{"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {80: 9}}],
        edge={"tls": {"certificate_file": "/etc/acp/tls.pem", "server_name": NAME}},
        checks={"timeout_seconds": 1, "suite": {"redirect": {"severity": "critical"}}},
    )
    service = settings.services["acp-ingest"]
    target = Target(
        name="acp-ingest on h1", service_name="acp-ingest", service=service, base_url="http://127.0.0.1:9",
        release=RELEASE,
    )  # fmt: skip
    subject = replace(make_subject(settings), targets=[target])
    (stay,) = [r for r in examine(subject, REDIRECT).results if r.target == "acp-ingest on h1"]
    assert stay.dependencies == ("acp-ingest",)
