"""The gate on one image: scanned by digest from the registry, judged, and reported also when it blocks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from infra.adapters import trivy
from infra.adapters.sarif import finish
from infra.domain.findings import Severity
from infra.domain.recorded_gate import summary
from infra.domain.scan_policy import Policy, Verdict, database_problems, evaluate
from infra.domain.waivers import for_stack
from infra.errors import GateError
from infra.paths import CACHE_FOLDER, PROJECT_ROOT
from infra.settings.waivers import load_waivers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.domain.findings import Database
    from infra.domain.waivers import Waiver
    from infra.settings.gate import Gate
    from infra.settings.model import Settings

REPORTS = ("scan.json", "scan.sarif", "scan.txt", "sbom.cdx.json", "verdict.json")
SLOT_PAUSE_SECONDS = 0.2
DATABASE_MEND = "let the runner reach the database, or set `gate.database_mirror` or `gate.database_folder`"
LAB_MEND = "`acp-release lab up` makes the lab's database anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """One image to scan: its name in reports, its digest-pinned reference, and why its risk is accepted, if it is."""

    name: str
    image: str
    settings: Settings
    login: trivy.Login
    accept_risk: str = ""

    @property
    def gate(self) -> Gate:
        """The stack's rules."""
        return self.settings.gate

    @property
    def folder(self) -> Path:
        """Where its reports go."""
        return PROJECT_ROOT / self.gate.report_folder / self.settings.stack / self.name


def policy_of(gate: Gate) -> Policy:
    """Return the policy that the settings mean."""
    return Policy(
        block=frozenset(Severity(severity) for severity in gate.block),
        block_unknown=gate.block_unknown,
        max_database_age_seconds=gate.max_database_age_seconds,
    )


def stack_waivers(settings: Settings) -> tuple[Waiver, ...]:
    """Return the waivers that count on the stack."""
    name = settings.gate.waivers_file
    return for_stack(load_waivers(PROJECT_ROOT / name, source=name), settings.stack)


def policy_hash(settings: Settings) -> str:
    """Return a hash of all that decides a verdict besides the image, the database and the day."""
    gate = settings.gate
    content = [trivy.VERSION, sorted(gate.block), gate.block_unknown, gate.max_database_age_seconds]
    content += [repr(waiver) for waiver in stack_waivers(settings)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def scan_image(request: ScanRequest, show: Callable[[str], None]) -> dict[str, Any]:
    """Scan and judge one image; return its report, or raise `GateError` with every reason it is blocked for."""
    _forget(request.folder)
    trivy.check_version()
    now = datetime.now(UTC)
    with _cache(request, now) as cache:
        database = trivy.read_database(cache)
        if database.updated_at is None:
            problems = list(database_problems(database, policy_of(request.gate), now))
            raise GateError(f"{request.name} is blocked: {problems[0]}", mend=_database_mend(request.gate))
        verdict = _scan(request, cache, database, now)
    report = {
        "name": request.name,
        "image": request.image,
        "scanner": f"trivy {trivy.VERSION}",
        "scanned_at": now.isoformat(timespec="seconds"),
        "database": str(database),
        "database_updated_at": database.updated_at.isoformat(timespec="seconds"),
        "accepted_risk": request.accept_risk if verdict.accepted else "",
        **verdict.to_json(),
    }
    _write(request.folder / "verdict.json", json.dumps(report, indent=2) + "\n")
    if not verdict.passed:
        raise _blocked(request, verdict)
    show(summary(report))
    return report


def recorded_verdict(request: ScanRequest) -> bool:
    """Return whether the report folder has a passed verdict on exactly this digest."""
    try:
        report = json.loads((request.folder / "verdict.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("image") == request.image and report.get("passed") is True


def _blocked(request: ScanRequest, verdict: Verdict) -> GateError:
    """Return the error that names every reason."""
    reasons = "\n".join(f"  - {reason}" for reason in verdict.reasons())
    stale = any("database" in problem for problem in verdict.problems)
    return GateError(
        f"{request.name} is blocked:\n{reasons}",
        where=f"{request.image}; reports in {os.path.relpath(request.folder, PROJECT_ROOT)}",
        mend=_database_mend(request.gate)
        if stale
        else f"upgrade what has a fix; for the rest a waiver in {request.gate.waivers_file}; no host was changed",
    )


def _database_mend(gate: Gate) -> str:
    """Return how to get a fresh database."""
    if gate.database_folder:
        return f"bring {gate.database_folder}/db up to date (a lab's: {LAB_MEND}); no host was changed"
    return f"{DATABASE_MEND}; no host was changed"


def _scan(request: ScanRequest, cache: Path, database: Database, now: datetime) -> Verdict:
    """Scan, judge, and write every report before anybody learns the verdict."""
    folder, timeout_seconds = request.folder, request.gate.scan_timeout_seconds
    waivers = stack_waivers(request.settings)
    with tempfile.TemporaryDirectory(prefix="acp-gate-") as made:
        raw = Path(made) / "scan.json"
        argv = trivy.scan_argv(request.image, cache=cache, output=raw, timeout_seconds=timeout_seconds)
        with _slot(CACHE_FOLDER / "gate"):
            trivy.call(argv, timeout_seconds=timeout_seconds + 30, login=request.login)
        text = _read(raw, request.image)
        findings = list(trivy.parse_report(text, request.image).findings())
        verdict = evaluate(
            findings, policy_of(request.gate), waivers, database, now, accept_risk=bool(request.accept_risk)
        )
        plain = raw.with_name("plain.json")
        plain.write_text(trivy.for_sarif(text, request.image), encoding="utf-8")
        with ThreadPoolExecutor() as pool:
            forms = ((plain, "sarif"), (raw, "table"), (raw, "cyclonedx"))
            sarif, table, sbom = pool.map(lambda source: _convert(*source), forms)
    document = finish(
        json.loads(sarif), category=f"trivy/{request.name}", database=database, waivers=verdict.used_waivers
    )
    mark = f"Vulnerability database: {database}\n"
    _write(folder / "scan.json", json.dumps({**json.loads(text), "VulnerabilityDatabase": str(database)}, indent=1))
    _write(folder / "scan.sarif", json.dumps(document, indent=1) + "\n")
    _write(folder / "scan.txt", mark + table)
    _write(folder / "sbom.cdx.json", sbom)
    return verdict


def _convert(raw: Path, form: str) -> str:
    output = raw.with_name(f"scan.{form}")
    trivy.call(trivy.convert_argv(raw, form, output), timeout_seconds=trivy.SHORT_TIMEOUT_SECONDS)
    return _read(output, form)


def _read(path: Path, what: str) -> str:
    """Return what Trivy wrote; a report that is not there is no pass."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"trivy left no readable report on {what}: {error}", mend="nothing was changed") from None


def _forget(folder: Path) -> None:
    """Remove the reports of an earlier scan, which would pass for this one's if it fails."""
    with _reporting(folder):
        for name in REPORTS:
            (folder / name).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Write a report in one step; one that cannot be written blocks."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with _reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Turn a failure to write below `path` into the reason why the image is blocked."""
    try:
        yield
    except OSError as error:
        raise GateError(
            f"the reports cannot be written: {error.strerror}",
            where=str(path),
            mend="make the folder `gate.report_folder` writable; no host was changed",
        ) from None


@contextmanager
def _cache(request: ScanRequest, now: datetime) -> Iterator[Path]:
    """Yield a cache folder of the image's own, as Trivy locks one, with the stack's database in it."""
    gate = request.gate
    if gate.database_folder:
        database = PROJECT_ROOT / Path(gate.database_folder).expanduser()
    else:
        database = CACHE_FOLDER / "gate" / "database"
        _download(database, request, now)
    cache = CACHE_FOLDER / "gate" / "scans" / request.name
    cache.mkdir(parents=True, exist_ok=True)
    link = cache / "db"
    with _locked(cache / "lock"):
        if not link.is_symlink() or link.readlink() != database / "db":
            link.unlink(missing_ok=True)
            link.symlink_to(database / "db")
        yield cache


def _download(database: Path, request: ScanRequest, now: datetime) -> None:
    """Bring the database up to date unless it is fresh; one that cannot be fetched is judged by its age."""
    gate = request.gate
    database.mkdir(parents=True, exist_ok=True)
    with _locked(database / "lock"):
        half_age = policy_of(gate).max_database_age_seconds / 2
        found = trivy.read_database(database).updated_at
        if found is not None and (now - found).total_seconds() <= half_age:
            return
        own = (gate.database_mirror or "").startswith(f"{request.settings.registry.server}/")
        argv = trivy.download_argv(database, gate.database_mirror)
        try:
            trivy.call(argv, timeout_seconds=trivy.DOWNLOAD_TIMEOUT_SECONDS, login=request.login if own else None)
        except GateError as error:
            if found is None:
                what = f"there is no vulnerability database, and none could be fetched: {error.what}"
                raise GateError(what, where=error.where, mend=_database_mend(gate)) from None


@contextmanager
def _slot(folder: Path) -> Iterator[None]:
    """Hold one of as many slots as there are processors, at least two: more scans at once only end later."""
    with ExitStack() as held:
        files = [
            held.enter_context((folder / f"slot-{index}").open("a")) for index in range(max(2, os.cpu_count() or 2))
        ]
        while not any(_try_lock(file) for file in files):
            time.sleep(SLOT_PAUSE_SECONDS)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock `path`; it goes with the process."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
