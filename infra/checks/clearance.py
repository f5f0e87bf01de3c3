"""The gate on a whole release: every image scanned and signed by the right key, then the release itself signed."""

from __future__ import annotations

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.adapters.cosign import Cosign, Verifier
from infra.adapters.files import key_path
from infra.adapters.ssh_signature import sign
from infra.adapters.trivy import Login
from infra.checks.gate import ScanRequest, scan_image, stack_waivers
from infra.checks.offline import registry_is_silent
from infra.domain.clearance import clearance_text, unscanned
from infra.domain.compose_policy import compose_problems
from infra.domain.naming import data_network, front_network
from infra.domain.numbers import whole_numbers
from infra.domain.promotion import promotion_problems
from infra.domain.provenance import provenance
from infra.domain.recorded_gate import unsigned_then
from infra.domain.text_form import from_text
from infra.domain.waivers import unused_waivers, waiver_problems
from infra.errors import GateError
from infra.paths import PROJECT_ROOT
from infra.settings.load import APPROVED_VARIABLE, settings_of
from infra.settings.secrets import IMAGE_KEY_PASSWORD, read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from infra.settings.gate import Signing
    from infra.settings.model import Settings
    from infra.settings.secrets import SecretValues

SBOM_KIND = "cyclonedx"
PROVENANCE_KIND = "slsaprovenance1"
KINDS = {"sbom": SBOM_KIND, "provenance": PROVENANCE_KIND}
"""What is attached to an image beside its signature, by the key of the record."""
SIGNER_MEND = "does `gate.signing` accept who signs here?"


def clear_release(props: Mapping[str, Any], show: Callable[[str], None]) -> dict[str, Any]:
    """Return the signed release and the gate's record of it; raise `GateError` with every reason against it.

    `props` has `settings`, `spec`, `run_id`, `images` (the app's, by name), `reports` (of every scan), `built` (whether
    this run built the images), `commit`, `history` (of the stack that a tag is promoted from), and for a
    rollback `recorded` (the gate's record of that release, which counts while the registry is down).
    """
    settings = settings_of(props)
    spec, images = from_text(props["spec"]), props["images"]
    reports = whole_numbers(props["reports"])
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    recorded = props.get("recorded") or {}
    is_offline = bool(recorded) and registry_is_silent(settings, secrets)
    problems = _problems(settings, spec, images, reports, props.get("history"))
    if not is_offline:  # a recorded scan counts with the waivers of then, whatever its age
        problems += waiver_problems(stack_waivers(settings), datetime.now(UTC).date())
    _refuse(settings, problems)
    record: dict[str, Any] = {"scans": reports, "signed_by": None, "sbom": [], "provenance": []}
    if is_offline:
        show(f"gate: the registry does not answer; what was recorded of {spec['release']} counts")
        record["offline"] = True
    signing = settings.gate.signing
    if signing is None:
        show(f"gate: {spec['release']} cleared; this stack asks for no signatures")
        return {"clearance": None, "record": record}
    verifier = verifier_of(signing)
    if is_offline:
        found = Vouched(
            problems=unsigned_then(recorded, str(verifier)),
            attached={name: recorded.get(name) or [] for name in KINDS},
        )
    else:
        found = vouched(settings, secrets, verifier, images)
        if props["built"] and may_sign(signing) and not found.is_complete(images):
            sign_images(settings, secrets, images, built=images, commit=props["commit"])
            found = vouched(settings, secrets, verifier, images)
    _refuse(settings, found.problems, how="" if is_offline else how_to_sign(settings, is_built=props["built"]))
    text = clearance_text(spec, run_id=props["run_id"], now_unix_seconds=time.time(), is_warm_only=is_offline)
    signature = sign(text, key_path(signing.release_key_file))
    show(f"gate: {spec['release']} cleared: {len(reports)} images scanned, {len(images)} signed by {verifier}")
    return {
        "clearance": {"document": text, "signature": signature},
        "record": {**record, "signed_by": str(verifier), **found.attached},
    }


def _problems(
    settings: Settings,
    spec: Mapping[str, Any],
    images: Mapping[str, str],
    reports: list[dict[str, Any]],
    history: list[dict[str, Any]] | None,
) -> list[str]:
    """Return what is wrong before any signature is looked at."""
    used = {f"{waiver['id']} in {waiver['package']}" for report in reports for waiver in report["waivers"]}
    problems = unscanned({*spec["images"], *images.values()}, reports)
    problems += other_images(spec["images"], images)
    problems += compose_problems(
        spec["compose"],
        drain_seconds={service["compose_service"]: service["drain_timeout_seconds"] for service in spec["services"]},
        networks=frozenset({front_network(spec["stack"]), data_network(spec["stack"])}),
    )
    problems += not_approved(spec["release"], os.environ.get(APPROVED_VARIABLE, ""))
    if spec["stack"] != settings.stack:
        problems.append(f"the release is for stack {spec['stack']}")
    if not settings.rollback_to:  # an older release need not have what a waiver of today is for
        problems += unused_waivers(stack_waivers(settings), used)
    source = settings.gate.promoted_from
    if settings.image_tag and source:
        problems += promotion_problems(settings.image_tag, images, history or [], source=source)
    return problems


def other_images(pulled: Collection[str], images: Mapping[str, str]) -> list[str]:
    """Return the problem of every image that hosts would pull and no signature is asked of, or the other way round.

    `pulled` are those of the release document, digest-pinned. Of a rollback both come from the record in the backend.
    """
    signed = set(images.values())
    return [
        *(f"{image} is in the release document and no image of the release" for image in sorted({*pulled} - signed)),
        *(f"{image} is an image of the release and not in its document" for image in sorted(signed - {*pulled})),
    ]


def not_approved(release: str, approved: str) -> list[str]:
    """Return the problem of a release that is not the approved one.

    `acp-release apply` names it, as a tag may move between its own look and the update.
    """
    return [f"{approved} was approved, and this would be {release}"] if approved and release != approved else []


def _refuse(settings: Settings, problems: list[str], how: str = "") -> None:
    """Raise when there is a problem; `how` mends all of them, where their own words do not say it."""
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise GateError(
            f"the release is blocked:\n{lines}",
            where=f"stack {settings.stack}",
            mend=f"{how}; no host was changed" if how else "no host was changed",
        )


def how_to_sign(settings: Settings, *, is_built: bool) -> str:
    """Return what gets images the signatures that count, seen from a run that built them itself, or did not."""
    signing = settings.gate.signing
    if not is_built or signing is None:
        return f"sign them where they are built: `acp-release sign --stack {settings.stack} --images FILE`"
    if may_sign(signing):
        return f"{SIGNER_MEND} (docs/gate.md, Signatures)"
    if signing.identity:
        return "only a CI run signs for `gate.signing.identity`: release there, or with a key (docs/gate.md, By hand)"
    return "set `gate.signing.image_key_file`: this run has no key (docs/gate.md, By hand)"


def verifier_of(signing: Signing) -> Verifier:
    """Return whose signatures the stack accepts."""
    key = signing.image_public_key_file
    return Verifier(
        public_key_file=str(key_path(key)) if key else None,
        identity=signing.identity,
        issuer=signing.issuer,
        label=key or "",
    )


def may_sign(signing: Signing) -> bool:
    """Return whether this run can sign: it has the key, or CI vouches for it."""
    return bool(signing.image_key_file) or bool(signing.identity and os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"))


def _cosign(settings: Settings, secrets: SecretValues) -> Cosign:
    registry = settings.registry
    return Cosign(
        server=registry.server,
        username=registry.username,
        password=secrets["REGISTRY_PASSWORD"],
        key_password=secrets.values.get(IMAGE_KEY_PASSWORD, ""),
    )


def sign_images(
    settings: Settings, secrets: SecretValues, images: Mapping[str, str], *, built: Collection[str], commit: str
) -> None:
    """Sign what this run built, and attach SBOM and provenance, where that was not done yet; `built` has its names.

    Raise `GateError`, and sign nothing, when another one has no signature that counts: whoever may push could have put
    it there.
    """
    signing = settings.gate.signing
    if signing is None:
        return
    verifier, cosign = verifier_of(signing), _cosign(settings, secrets)
    key = str(key_path(signing.image_key_file)) if signing.image_key_file else None
    with ThreadPoolExecutor() as pool:
        answers = pool.map(lambda image: cosign.problem(image, verifier), images.values())
        unsigned = {name: problem.text for name, problem in zip(images, answers, strict=True) if problem}
    _refuse_foreign(settings, {name: problem for name, problem in unsigned.items() if name not in built}, images)

    def treat(item: tuple[str, str]) -> None:
        name, image = item
        if not cosign.attested(image, verifier, kind=SBOM_KIND):
            cosign.attest(image, key, kind=SBOM_KIND, predicate=sbom_of(settings, secrets, name, image))
        if name in built and not cosign.attested(image, verifier, kind=PROVENANCE_KIND):
            with tempfile.TemporaryDirectory(prefix="acp-gate-") as made:
                predicate = Path(made) / "provenance.json"
                statement = provenance(settings.images[name], commit=commit, environ=os.environ)
                predicate.write_text(json.dumps(statement), encoding="utf-8")
                cosign.attest(image, key, kind=PROVENANCE_KIND, predicate=predicate)
        if name in unsigned:  # last: what broke off before is built anew, and lacks nothing once it is signed
            cosign.sign(image, key)

    with ThreadPoolExecutor() as pool:
        list(pool.map(treat, images.items()))


def _refuse_foreign(settings: Settings, problems: Mapping[str, str], images: Mapping[str, str]) -> None:
    """Raise when there are images that this run neither built nor can take another run's word for."""
    if problems:
        lines = "\n".join(f"  - {name}: {problem} ({images[name]})" for name, problem in problems.items())
        raise GateError(
            f"this run did not build what it is to sign:\n{lines}",
            where=f"stack {settings.stack}",
            mend=f"`acp-release build --stack {settings.stack} --save FILE` builds it anew, and docs/gate.md says what "
            "to do with images that were built elsewhere; nothing was signed",
        )


def sbom_of(settings: Settings, secrets: SecretValues, name: str, image: str) -> Path:
    """Return the SBOM of an image; it is scanned again where the recorded scan was made by another runner."""
    login = Login(username=settings.registry.username, password=secrets["REGISTRY_PASSWORD"])
    request = ScanRequest(name=name, image=image, settings=settings, login=login)
    sbom = request.folder / "sbom.cdx.json"
    try:
        here = json.loads((request.folder / "verdict.json").read_text(encoding="utf-8"))["image"] == image
    except (OSError, ValueError, KeyError):
        here = False
    if not here or not sbom.exists():
        scan_image(request, lambda _: None)
    return sbom


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What the registry has on some images: why signatures do not count, and which images have which statement."""

    problems: list[str]
    attached: dict[str, list[str]]

    def is_complete(self, images: Collection[str]) -> bool:
        """Return whether every image has a signature that counts and every statement."""
        return not self.problems and all(len(names) == len(images) for names in self.attached.values())


def vouched(settings: Settings, secrets: SecretValues, verifier: Verifier, images: Mapping[str, str]) -> Vouched:
    """Look at the signatures and statements of all images, side by side."""
    cosign = _cosign(settings, secrets)
    with ThreadPoolExecutor() as pool:
        signatures = {name: pool.submit(cosign.problem, image, verifier) for name, image in images.items()}
        statements = {
            key: {name: pool.submit(cosign.attested, image, verifier, kind=kind) for name, image in images.items()}
            for key, kind in KINDS.items()
        }
    found = {name: asked.result() for name, asked in signatures.items()}
    return Vouched(
        problems=[f"{name}: {problem.text} ({images[name]})" for name, problem in found.items() if problem],
        attached={key: sorted(name for name, asked in of.items() if asked.result()) for key, of in statements.items()},
    )
