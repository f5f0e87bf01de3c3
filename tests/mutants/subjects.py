"""Which modules are broken, which tests must notice, and which mutants nobody can notice."""

from __future__ import annotations

CHECKS = "infra/checks"
DOMAIN = "infra/domain"
UNIT = "tests/unit/checks"

SUITE = (f"{UNIT}/test_model_endpoints.py", f"{UNIT}/test_suite.py", f"{UNIT}/test_smoke.py")

SUBJECTS: dict[str, tuple[str, ...]] = {
    f"{CHECKS}/agents.py": (f"{UNIT}/test_agents.py", f"{UNIT}/test_early.py", *SUITE),
    f"{CHECKS}/ask.py": (f"{UNIT}/test_ask.py", f"{UNIT}/test_health.py", *SUITE),
    f"{CHECKS}/blame.py": (f"{UNIT}/test_blame.py", *SUITE),
    f"{CHECKS}/disk_space.py": SUITE,
    f"{CHECKS}/document.py": (f"{UNIT}/test_document.py", *SUITE),
    f"{CHECKS}/early.py": (f"{UNIT}/test_early.py",),
    f"{CHECKS}/failing.py": (f"{UNIT}/test_failing.py", *SUITE),
    f"{CHECKS}/growth.py": (f"{UNIT}/test_growth.py",),
    f"{CHECKS}/health.py": (f"{UNIT}/test_health.py", *SUITE),
    f"{CHECKS}/ingest.py": SUITE,
    f"{CHECKS}/inquiry.py": (f"{UNIT}/test_health.py", *SUITE),
    f"{CHECKS}/load.py": (f"{UNIT}/test_load.py",),
    f"{CHECKS}/model_endpoints.py": SUITE,
    f"{CHECKS}/prober.py": (f"{UNIT}/test_prober.py", f"{UNIT}/test_prober_tls.py"),
    f"{CHECKS}/public.py": (f"{UNIT}/test_public.py", *SUITE),
    f"{CHECKS}/regression.py": (f"{UNIT}/test_regression.py",),
    f"{CHECKS}/replicas.py": (f"{UNIT}/test_replicas.py", *SUITE),
    f"{CHECKS}/result.py": (f"{UNIT}/test_result.py", *SUITE),
    f"{CHECKS}/smoke.py": SUITE,
    f"{CHECKS}/suite.py": SUITE,
    f"{CHECKS}/tls.py": (f"{UNIT}/test_tls.py", *SUITE),
    f"{CHECKS}/trust.py": (f"{UNIT}/test_prober_tls.py", f"{UNIT}/test_tls.py"),
    f"{CHECKS}/version.py": (f"{UNIT}/test_version.py", *SUITE),
    f"{DOMAIN}/canary.py": ("tests/unit/domain/test_canary.py",),
    f"{DOMAIN}/certificate.py": ("tests/unit/domain/test_certificate.py",),
    f"{DOMAIN}/load_plan.py": ("tests/unit/domain/test_load_plan.py",),
    f"{DOMAIN}/load_report.py": ("tests/unit/domain/test_load_report.py", f"{UNIT}/test_load.py"),
    f"{DOMAIN}/regression.py": ("tests/unit/domain/test_regression.py", f"{UNIT}/test_regression.py"),
    f"{DOMAIN}/resources.py": ("tests/unit/domain/test_resources.py", f"{UNIT}/test_growth.py"),
}
"""Every module that judges a release, and the tests of it, the likeliest to notice first."""

TOGETHER = "the bounds are of the same pairs: all are there, or none is"

EITHER_FIRST = "two ways take turns; which of them begins does not matter"
WORDING = "which words an error is told in"
UNUSED = "an unanswered job fails the release, and then no job of it is kept"

EQUIVALENT: dict[str, str] = {
    f"{CHECKS}/regression.py: self.asked % 2": EITHER_FIRST,
    f"{CHECKS}/smoke.py: job.is_answered and job.id": UNUSED,
    f"{CHECKS}/trust.py: error.strerror or error": WORDING,
    f"{DOMAIN}/regression.py: difference is None or ratio is None or candidate is None": TOGETHER,
    f"{DOMAIN}/regression.py: difference is None": TOGETHER,
    f"{DOMAIN}/regression.py: ratio is None": TOGETHER,
    f"{DOMAIN}/regression.py: candidate is None": TOGETHER,
}
"""Expressions whose mutants do the same as the original: `module: expression` → why. They are not run."""
