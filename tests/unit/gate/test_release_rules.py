from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.adapters.cosign import Verifier, attest_argv, describe, sign_argv, verify_argv
from infra.checks.clearance import how_to_sign, not_approved
from infra.checks.compose import check_compose
from infra.components.gate import too_old
from infra.domain.clearance import VALID_SECONDS, clearance_text, unscanned
from infra.domain.promotion import build_problems, promotion_problems
from infra.domain.provenance import provenance
from infra.errors import GateError, SettingsError, UsageError
from infra.paths import PROJECT_ROOT
from infra.release import accepted_risk
from infra.settings import load_stack_file
from infra.settings.model import Image
from infra.settings.waivers import load_waivers
from infra.sources import check_templates
from tests.support.settings import make_settings

A, B = f"r.test/acp/app@sha256:{'a' * 64}", f"r.test/acp/app@sha256:{'b' * 64}"
KEY = Verifier(public_key_file="cosign.pub")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GATE = {"gate": {"rescan_after_seconds": 3600, "max_database_age_seconds": 7200}}


def test_a_tag_is_promoted_with_the_digests_that_were_released() -> None:
    """The digests must be those that the stack before recorded; the repository may be another."""
    history = [{"version": "v2", "images": {"app": A.replace("r.test", "other.test")}}]
    assert promotion_problems("v2", {"app": A}, history, source="staging") == []


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({"app": B}, "the tag v2 moved: staging released sha256:aaaa"),
        ({"app": A, "other": A}, "other: staging released v2 without it"),
    ],
)
def test_a_moved_tag_is_refused(images: dict[str, str], expected: str) -> None:
    """A tag that has other digests than those released is refused with both."""
    history = [{"version": "v2", "images": {"app": A}}]
    assert expected in promotion_problems("v2", images, history, source="staging")[0]


def test_what_a_tag_leads_to_is_what_was_built() -> None:
    """Digests count, wherever they were pushed to; both are named where they differ."""
    built = {"app": A.replace("r.test", "other.test"), "more": A}
    assert build_problems("v2", {"app": A}, built_tag="v2", built=built) == []
    assert build_problems("v2", {"app": B}, built_tag="v2", built=built) == [
        f"app: the tag v2 moved: the build made sha256:{'a' * 64}, the registry now has sha256:{'b' * 64}"
    ]
    assert build_problems("v2", {"other": A}, built_tag="v2", built=built) == ["other: the build made v2 without it"]
    assert build_problems("v3", {"app": A}, built_tag="v2", built=built) == [
        "the build is of v2, and this would release v3"
    ]


def test_a_tag_that_was_not_released_is_refused() -> None:
    """What the stack before never released is not promoted."""
    assert promotion_problems("v3", {"app": A}, [{"version": "v2"}], source="staging") == [
        "staging has not released v3"
    ]


def test_only_the_approved_release_is_cleared() -> None:
    """Whatever moved since the look at the plan, another id is a problem; without an approval none is asked for."""
    assert not_approved("v2-b", "v2-a") == ["v2-a was approved, and this would be v2-b"]
    assert not_approved("v2-b", "v2-b") == not_approved("v2-b", "") == []


@pytest.mark.parametrize(
    ("signing", "is_built", "is_vouched", "expected"),
    [
        ({"identity": "^x$"}, True, False, "only a CI run signs for `gate.signing.identity`"),
        ({"identity": "^x$"}, True, True, "does `gate.signing` accept who signs here?"),
        ({"image_public_key_file": "k.pub"}, True, True, "set `gate.signing.image_key_file`"),
        ({"image_public_key_file": "k.pub", "image_key_file": "k"}, True, False, "does `gate.signing` accept"),
        ({"image_public_key_file": "k.pub"}, False, False, "`acp-release sign --stack local --images FILE`"),
    ],
)
def test_a_missing_signature_has_a_mend(
    monkeypatch: pytest.MonkeyPatch, signing: dict[str, str], expected: str, *, is_built: bool, is_vouched: bool
) -> None:
    """Whoever releases from a laptop is told that only CI signs keyless; a promotion, where its images are signed."""
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://vouches.test" if is_vouched else "")
    settings = make_settings(gate={"signing": {"release_key_file": "r", **signing}})
    assert expected in how_to_sign(settings, is_built=is_built)


def test_every_image_needs_a_passed_scan() -> None:
    """An image without a report, or with one that did not pass, is named."""
    assert unscanned([A, B], [{"image": A, "passed": True}, {"image": B, "passed": False}]) == [f"{B} was not scanned"]


def test_the_clearance_holds_the_whole_release() -> None:
    """The signed text has the release document, the digests and the time it counts."""
    text = clearance_text({"stack": "s", "release": "r", "images": [B, A]}, run_id="1", now_unix_seconds=10.7)
    document = json.loads(text)
    assert document["images"] == [A, B]
    assert document["spec"]["release"] == "r"
    assert document["expires_unix_seconds"] - document["issued_unix_seconds"] == VALID_SECONDS


@pytest.mark.parametrize(
    ("scanned", "updated", "old"), [(30, 60, False), (61, 60, True), (30, 121, True)]
)  # fmt: skip
def test_a_scan_is_made_again_when_it_is_old(scanned: float, updated: float, *, old: bool) -> None:
    """A recorded scan counts while neither it nor its database is older than the stack allows (minutes)."""
    report = {
        "scanned_at": (NOW - timedelta(minutes=scanned)).isoformat(),
        "database_updated_at": (NOW - timedelta(minutes=updated)).isoformat(),
    }
    assert too_old(report, GATE, NOW) is old


def test_no_report_is_an_old_one() -> None:
    """Without a report the image is scanned."""
    assert too_old({}, GATE, NOW)


@pytest.mark.parametrize(
    ("errors", "expected", "is_verdict"),
    [
        ("Error: no signatures found", "it is not signed", True),
        ("error: no matching signatures: invalid signature when validating ASN.1", "not by the key cosign.pub", True),
        ("no matching signatures: invalid or missing digest in claim", "of another digest", True),
        ("GET: MANIFEST_UNKNOWN: manifest unknown", "not in the registry", True),
        ("GET: UNAUTHORIZED: authentication required", "refused the login", False),
        ("something else", "something else", False),
        ("", "says nothing", False),
    ],
)
def test_a_refused_signature_is_said_in_our_words(errors: str, expected: str, *, is_verdict: bool) -> None:
    """Each way in which a signature does not count has its words; a look-up that failed says nothing of the image."""
    problem = describe(errors, KEY)
    assert expected in problem.text
    assert problem.is_verdict is is_verdict


def test_keyless_verification_names_who_and_by_whom() -> None:
    """Keyless signatures count by identity and issuer, and stand in the public log; those of a key do not."""
    keyless = Verifier(identity="^https://github.com/acp/", issuer="https://issuer.test")
    assert verify_argv(A, keyless) == [
        "cosign", "verify", "--certificate-identity-regexp", "^https://github.com/acp/",
        "--certificate-oidc-issuer", "https://issuer.test", "--output", "json", A,
    ]  # fmt: skip
    assert sign_argv(A, None) == ["cosign", "sign", "--yes", A]
    assert sign_argv(A, "k") == ["cosign", "sign", "--yes", "--key", "k", "--tlog-upload=false", A]
    assert "--replace" in attest_argv(A, "k", kind="cyclonedx", predicate=PROJECT_ROOT)


def test_provenance_names_commit_and_builder() -> None:
    """The statement says from which commit, how and by whom; in CI it names the run."""
    image = Image(context="c", dockerfile="d", build_args={"A": "1"})
    ci = {"GITHUB_SERVER_URL": "https://g.test", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
    made = provenance(image, commit="abc", environ=ci)
    assert made["buildDefinition"]["resolvedDependencies"] == [
        {"uri": "git+https://g.test/a/b", "digest": {"gitCommit": "abc"}}
    ]
    assert made["runDetails"]["builder"]["id"] == "https://g.test/a/b/actions/runs/7"
    assert provenance(image, commit="", environ={})["buildDefinition"]["resolvedDependencies"] == []


def test_provenance_names_the_stage_that_was_built() -> None:
    """Of a Dockerfile with more than one; else nothing is said of it."""
    whole = Image(context="c", dockerfile="d")
    stage = whole.model_copy(update={"target": "intake"})
    parameters = [provenance(i, commit="", environ={})["buildDefinition"]["externalParameters"] for i in (whole, stage)]
    assert [made.get("target") for made in parameters] == [None, "intake"]


def test_a_risk_is_accepted_for_a_rollback_only() -> None:
    """A release needs a waiver; only a rollback may go on with what blocks, for a reason."""
    environ = {"ACP_ACCEPT_RISK": " the new one loses data "}
    assert accepted_risk(make_settings(rollback_to="v1-12345678"), environ) == "the new one loses data"
    assert accepted_risk(make_settings(), {}) == ""
    with pytest.raises(UsageError, match="only for rollbacks"):
        accepted_risk(make_settings(), environ)


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_what_every_stack_renders_keeps_the_rules(stack: str) -> None:
    """The compose files of this repository, rendered for each stack, keep every rule."""
    check_templates(load_stack_file(stack, PROJECT_ROOT))


def test_the_lab_renders_what_keeps_the_rules() -> None:
    """So do the data services of a stack that has its own."""
    check_templates(make_settings(core={}))


def test_a_breach_names_file_and_rule() -> None:
    """A service without limits is refused before anything is declared."""
    template: dict[str, Any] = {"services": {name: {} for name in ("ingest", "worker", "agents")}}
    with pytest.raises(GateError, match=r"compose/app.yaml: services.ingest.user: must be a numeric id"):
        check_compose(make_settings(), template, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("waivers: [{id: CVE-1}]", "waivers[0].package: Field required"),
        ("waivers: [{id: a, package: b, owner: c, reason: short, expires: 2026-12-01}]", "waivers[0].reason"),
        ("waivers: [{id: a, package: b, owner: c, reason: long enough, expires: soon}]", "waivers[0].expires"),
        ("waivers: []\nother: 1", "other: unknown key"),
        ("waivers: [", "is not YAML"),
    ],
)
def test_a_bad_waivers_file_is_refused(tmp_path: Any, text: str, expected: str) -> None:
    """Every problem of the file is named with its path."""
    (tmp_path / "waivers.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_waivers(tmp_path / "waivers.yaml", source="waivers.yaml")
    assert expected in str(caught.value)


def test_a_missing_waivers_file_is_refused(tmp_path: Any) -> None:
    """A file that is named in the settings has to be there."""
    with pytest.raises(SettingsError, match="does not exist"):
        load_waivers(tmp_path / "none.yaml", source="none.yaml")
