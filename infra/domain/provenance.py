"""Provenance: where an image comes from, in the form that SLSA has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Image

BUILD_TYPE = "https://mobyproject.org/buildkit@v1"


def provenance(image: Image, *, commit: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the SLSA 1.0 predicate of an image built from `commit`, by CI (`GITHUB_…` in `environ`) or by hand."""
    server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    by_ci = bool(server and repository)
    run = f"{server}/{repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}" if by_ci else ""
    sources = f"git+{server}/{repository}" if by_ci else "git+file:."
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "context": image.context,
                "dockerfile": image.dockerfile,
                "buildArguments": dict(image.build_args),
                **({"target": image.target} if image.target else {}),
            },
            "resolvedDependencies": [{"uri": sources, "digest": {"gitCommit": commit}}] if commit else [],
        },
        "runDetails": {
            "builder": {"id": run or "https://acp.example/builders/workstation"},
            "metadata": {"invocationId": run} if run else {},
        },
    }
