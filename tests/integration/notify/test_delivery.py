from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.notices import HOSTILE, ROUTING_KEY, SIGNING_KEY
from tests.support.vendors import DEPLOYMENTS, TOKEN, Trouble, free_port, vendors

if TYPE_CHECKING:
    from tests.integration.notify.conftest import Site

PLACES = ("/slack", "/teams", "/webhook", "/pagerduty")
LONGEST_ADDED_SECONDS = 1.0


def verdicts(site: Site, place: str) -> list[str]:
    """Return the events that a vendor was told of, in order."""
    known = {
        "/slack": lambda d: d["text"],
        "/teams": lambda d: d["attachments"][0]["content"]["fallbackText"],
        "/webhook": lambda d: d["type"],
        "/pagerduty": lambda d: d["event_action"],
    }
    return [known[place](document) for document in site.vendors.accepted(place)]


def test_a_release_is_told_to_everybody_once(site: Site) -> None:
    """Every channel gets start and success in its vendor's shape, and GitHub a deployment that ends well."""
    with site.update():
        site.wait_delivered(9)
    assert site.vendors.problems == []
    assert verdicts(site, "/webhook") == ["acp.release.started.v1", "acp.release.succeeded.v1"]
    assert verdicts(site, "/pagerduty") == ["resolve"]
    assert [len(verdicts(site, place)) for place in ("/slack", "/teams")] == [2, 2]
    (made,) = site.vendors.deployments
    assert (made["environment"], made["ref"], made["payload"]["run_id"]) == ("production", "c" * 40, "run-2")
    assert [status["state"] for status in site.vendors.statuses[made["id"]]] == ["in_progress", "success"]
    assert site.vendors.statuses[made["id"]][-1]["environment_url"] == "https://acp.example"
    site.wait_for(lambda: not site.senders(), "the sender ends with the update")
    assert list(site.outbox.folder.glob("run-*")) == []


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Trouble(status=500), id="error"),
        pytest.param(Trouble(status=429, headers={"Retry-After": "1"}), id="rate-limit"),
        pytest.param(Trouble(status=200, slow_seconds=2.0), id="slow"),
    ],
)
def test_a_vendor_in_trouble_costs_the_release_nothing(site: Site, trouble: Trouble) -> None:
    """While all vendors are in trouble the update goes on at once; after recovery each message arrives once."""
    site.vendors.troubles.update(dict.fromkeys((*PLACES, "/repos"), trouble))
    with site.update() as update:
        assert update["seconds"] < LONGEST_ADDED_SECONDS
        site.wait_delivered(9)
    assert site.vendors.problems == []
    assert Counter(place for place, _ in site.vendors.got if place in PLACES) == {
        "/slack": 2, "/teams": 2, "/webhook": 2, "/pagerduty": 1,
    }  # fmt: skip
    assert [s["state"] for s in site.vendors.statuses[1]] == ["in_progress", "success"]
    assert len(site.vendors.accepted(DEPLOYMENTS)) == 1


def test_a_vendor_that_is_down_gets_its_messages_later(site: Site) -> None:
    """With nobody listening the update goes on at once; when the vendors are back each message arrives once."""
    port = free_port()
    for name in ("SLACK", "TEAMS", "WEBHOOK"):
        site.environment[f"LOCAL_{name}_TARGET"] = f"http://127.0.0.1:{port}/{name.lower()}"
    with site.update() as update:
        assert update["seconds"] < LONGEST_ADDED_SECONDS
        site.wait_for(lambda: sum("no connection" in x.last_error for x in site.letters()) >= 3, "tried in vain")
        with vendors(port) as back:
            site.wait_delivered(9)
            assert back.problems == []
            assert Counter(place for place, _ in back.got) == {"/slack": 2, "/teams": 2, "/webhook": 2}


def test_what_a_dead_runner_left_is_sent_by_the_next_run(site: Site) -> None:
    """The sender is killed with everything undelivered; nothing is lost, and the next run delivers it once."""
    site.vendors.troubles.update(dict.fromkeys((*PLACES, "/repos"), Trouble(status=503, times=10_000)))
    with site.update():
        site.wait_for(lambda: sum(bool(x.attempts) for x in site.letters()) >= 5, "tried in vain")
        site.kill_senders()
    assert {letter.state for letter in site.letters()} == {"pending"}
    site.vendors.troubles.clear()
    shown = site.command("notifications", "--stack", "local", "--resend")
    assert [letter["state"] for letter in shown] == ["delivered"] * 9
    again = site.command("notifications", "--stack", "local", "--resend")
    assert len(again) == 9
    assert Counter(place for place, _ in site.vendors.got if place in PLACES) == {
        "/slack": 2, "/teams": 2, "/webhook": 2, "/pagerduty": 1,
    }  # fmt: skip


def test_an_update_that_dies_without_a_word_is_told(site: Site) -> None:
    """Started and then silent: when the engine is gone, the sender asks the hosts and tells the failure."""
    with site.update(ends=0):
        site.wait_delivered(4)
    site.wait_delivered(9)
    assert verdicts(site, "/webhook") == ["acp.release.started.v1", "acp.release.failed.v1"]
    (trigger,) = site.vendors.accepted("/pagerduty")
    assert trigger["event_action"] == "trigger"
    assert "the update ended without a verdict, and h1, h2 cannot be asked" in trigger["payload"]["summary"]


def test_a_failure_opens_an_incident_and_the_recovery_ends_it(site: Site) -> None:
    """The revert triggers, the next good release resolves, both under one key."""
    with site.update(error="2 of 8 checks failed", restored="v1-0"):
        site.wait_delivered(9)
    with site.update(props=site.props(run_id="run-3")):
        site.wait_delivered(18)
    events = site.vendors.accepted("/pagerduty")
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1
    assert events[0]["payload"]["summary"] == "local: v2 reverted by itself, v1-0 serves: 2 of 8 checks failed"
    assert [site.vendors.state_of(d["id"]) for d in site.vendors.deployments] == ["success", "failure"]


def test_no_secret_and_no_markup_reaches_anybody(site: Site) -> None:
    """A reason full of secrets and markup: no payload, file, output or answer of a command has either."""
    secrets = [value for name, value in site.environment.items() if "planted" in value and name != "PATH"]
    reason = " ".join(["planted-db-pass", HOSTILE, *secrets])
    with site.update(error=reason, restored="v1-0"):
        site.wait_delivered(9)
    shown = site.command("notifications", "--stack", "local")
    files = "\n".join(path.read_text(encoding="utf-8") for path in site.outbox.folder.rglob("*") if path.is_file())
    payloads = [
        {**document, "routing_key": ""} if place == "/pagerduty" else document for place, document in site.vendors.got
    ]
    seen = f"{files}\n{payloads}\n{shown}\n{''.join(site.output)}"
    assert "[redacted]" in seen
    for secret in ("planted", ROUTING_KEY, SIGNING_KEY, TOKEN, "/slack", "evil.example://"):
        assert secret not in seen, secret
    assert not re.search(r"<!channel>|<at>|(?<!\w)@everyone|\]\(https|https://evil", seen)


def test_a_workflow_tells_of_an_approval(site: Site) -> None:
    """`acp-release notify` tells what `pulumi up` cannot see, and within a run no outcome twice."""
    site.environment.update(GITHUB_RUN_ID="9", GITHUB_SERVER_URL="https://github.example", GITHUB_SHA="d" * 40)
    told = site.command("notify", "--stack", "local", "--event", "waiting", "--reason", "by the platform team")
    assert (told["run_id"], told["channels"], told["waiting"]) == (
        "ci-9-1",
        ["slack", "teams", "webhook", "github"],
        [],
    )
    assert site.vendors.state_of(1) == "queued"
    with site.update(props=site.props(run_id="ci-9-1"), error="bad", restored="v1-0"):
        site.wait_delivered(13)
    assert [s["state"] for s in site.vendors.statuses[1]] == ["queued", "in_progress", "failure"]
    again = site.command("notify", "--stack", "local", "--event", "failed", "--reason", "the job failed")
    assert (again["told_before"], again["channels"]) == (True, [])
    (link,) = {d["data"]["links"]["run"] for d in site.vendors.accepted("/webhook")}
    assert link == "https://github.example/o/r/actions/runs/9"


def test_a_channel_that_is_down_does_not_fail_the_workflow(site: Site) -> None:
    """The command ends well within the time it was given, and says what is kept."""
    site.environment["LOCAL_SLACK_TARGET"] = f"http://127.0.0.1:{free_port()}/slack"
    del site.environment["LOCAL_TEAMS_TARGET"]
    told = site.command("notify", "--stack", "local", "--event", "drift", "--wait-seconds", "15")
    assert told["waiting"] == ["slack", "teams"]
    errors = {x["channel"]: x["last_error"] for x in site.command("notifications", "--stack", "local")}
    assert errors["slack"].startswith("no connection")
    assert errors["teams"] == "LOCAL_TEAMS_TARGET is not set here"
