from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.app.stack import SECRETS, docker, wait_until

if TYPE_CHECKING:
    from tests.integration.app.stack import Release, Stack

pytestmark = pytest.mark.docker


def test_a_pasted_document_is_found_until_it_is_removed(release: Release) -> None:
    """Paste → queue → worker → search finds it first; once removed, it is found no more."""
    text = "The zebra report of the north says that revenue fell."
    job_id = release.ingest(text)

    best = release.search(text)[0]
    assert (best["chunk"]["job_id"], best["chunk"]["content"], best["rank"]) == (job_id, text, 1)
    assert best["similarity_score"] == pytest.approx(1, abs=1e-3)

    assert release.ask("ingest", "DELETE", f"/api/v1/ingest/documents/{job_id}").status_code == 204
    assert all(hit["chunk"]["job_id"] != job_id for hit in release.search(text))
    assert release.ask("ingest", "GET", f"/api/v1/ingest/status/{job_id}").status_code == 404


def test_an_uploaded_file_is_cut_into_chunks(release: Release) -> None:
    """A long file becomes several chunks, each of which is found."""
    text = " ".join(f"word{number}" for number in range(2000))
    data = {"origin": "test", "sensitivity": "public"}
    answer = release.ask("ingest", "POST", "/api/v1/ingest/upload", files={"file": ("a.txt", text)}, data=data)
    job_id = answer.json()["job_id"]
    wait_until(lambda: release.ingest_status(job_id)["status"] == "completed", timeout_seconds=60)

    found = release.search(text[-700:])[0]["chunk"]
    assert found["job_id"] == job_id
    assert found["position"] > 5


@pytest.mark.parametrize("body", [{"text": "  "}, {"text": "a\x00b"}, {}, {"text": "a", "sensitivity": "unheard of"}])
def test_a_bad_document_is_refused(release: Release, body: dict[str, str]) -> None:
    """What cannot be stored is the caller's mistake, not a failure of the service."""
    assert release.ask("ingest", "POST", "/api/v1/ingest/paste", json=body).status_code == 422


def test_an_agents_job_is_answered_from_what_was_ingested(release: Release) -> None:
    """The job searches through ingest, asks the model, and names its sources."""
    job_id = release.ingest("The okapi census counted forty animals.")
    found = release.results(release.start_job(question="okapi census", rounds=1, pace_seconds=0), wait_seconds=60)

    assert found["status"] == "completed"
    assert found["result"]["answer"]
    assert job_id in [source["job_id"] for source in found["result"]["sources"]]


def test_a_job_with_a_question_waits_for_its_answer(release: Release) -> None:
    """A job that asks back goes on when the user has answered, and takes no second answer."""
    job_id = release.start_job(question="how many?", clarify=True, rounds=1, pace_seconds=0)
    assert release.results(job_id, wait_seconds=60)["status"] == "awaiting_answers"

    answer = {"answers": ["in the north"]}
    assert release.ask("agents", "POST", f"/api/v1/jobs/{job_id}/answers", json=answer).status_code == 202
    assert release.results(job_id, wait_seconds=60)["status"] == "completed"
    assert release.ask("agents", "POST", f"/api/v1/jobs/{job_id}/answers", json=answer).status_code == 409


def test_agents_ask_the_ingest_of_their_own_release(stack: Stack, release: Release) -> None:
    """With two releases on one network, each release's agents reach only its own ingest."""
    program = (
        "import collections, json, os, urllib.request\n"
        "url = os.environ['KNOWLEDGE_URL'] + '/version'\n"
        "seen = {json.load(urllib.request.urlopen(url))['release'] for _ in range(20)}\n"
        "print(','.join(sorted(seen)))\n"
    )
    with stack.release("v2") as other:
        for each in (release, other):
            assert docker("exec", each.container("agents"), "python3", "-c", program) == each.release


def test_no_secret_is_seen(stack: Stack, release: Release) -> None:
    """Neither the processes' arguments nor any log has a secret."""
    release.ingest("a document, so that there are log lines")
    containers = [release.container(name) for name in ("ingest", "worker", "agents")]
    containers += [stack.core(name) for name in ("postgres", "redis")]
    for container in containers:
        seen = docker("top", container, "-eo", "pid,args") + docker("logs", container)
        assert not [value for value in SECRETS.values() if "4711" in value and value in seen], container
