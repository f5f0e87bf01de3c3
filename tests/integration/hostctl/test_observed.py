"""What HAProxy was seen to do otherwise than one would think, asked of the real one."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.integration.hostctl.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
REQUESTS, AT_ONCE = 40, 8
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_a_candidate_that_fails_with_all_requests_loses_none_that_may_be_repeated(site: Site) -> None:
    """At cutover the committed release has no weight: it stands by for what the candidate has as it is taken out.

    Of one that is not repeated the log says how it failed, and nothing that may be a secret.
    """
    old, new = site.status()["current"], "v8.0.0-all"
    url = f"http://{site.host.reach(8000)}"
    site.start(new, "failing")
    site.call("cutover", release=new)
    lost = httpx.post(f"{url}/lost?token=of-a-user", headers={"Authorization": "Bearer of-a-user"}, timeout=10)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{url}/x", timeout=10), range(REQUESTS)))
    status = site.settle()
    assert {(answer.status_code, answer.headers["X-ACP-Release"]) for answer in answers} == {(200, old)}
    assert (status["serving"], status["last_trial"]["outcome"]) == (old, "reverted")
    assert (lost.status_code, lost.headers["X-ACP-Release"]) == (500, new)
    log = site.docker("logs", "--tail", "100", "acp-edge")
    assert f"500 ---- 0 POST /lost {lost.headers['X-Request-ID']}" in log
    assert "of-a-user" not in log


@pytest.mark.parametrize("given", [["well", "not well"], ["well, not well"], ["a b"], []])
def test_a_request_id_that_is_not_well_is_replaced(site: Site, given: list[str]) -> None:
    """Whatever stands beside it is well."""
    headers = [("X-Request-ID", value) for value in given]
    answer = httpx.get(f"http://{site.host.reach(8000)}/x", headers=headers, timeout=10)
    assert UUID.fullmatch(answer.headers["X-Request-ID"])
