"""`acp-release`: the operator's commands."""

from __future__ import annotations

import click

from infra.cli.lazy import LazyGroup

COMMANDS = {
    "apply": "infra.cli.apply:apply",
    "audit": "infra.cli.audit:audit",
    "build": "infra.cli.build:build",
    "check": "infra.cli.check:check",
    "docs": "infra.cli.docs:docs",
    "doctor": "infra.toolchain.doctor:doctor",
    "history": "infra.cli.history:history",
    "install-keys": "infra.cli.install_keys:install_keys",
    "lab": "infra.lab.cli:lab",
    "load": "infra.cli.load:load_command",
    "notifications": "infra.cli.notifications:notifications",
    "notify": "infra.cli.notify:notify",
    "preview": "infra.cli.preview:preview",
    "prune": "infra.cli.prune:prune",
    "report": "infra.cli.report:report",
    "resources": "infra.cli.resources:resources",
    "rollback": "infra.cli.rollback:rollback",
    "scan": "infra.cli.scan:scan",
    "setup-github": "infra.cli.setup_github:setup_github",
    "show": "infra.cli.show:show",
    "sign": "infra.cli.sign:sign",
    "smoke": "infra.cli.smoke:smoke",
    "status": "infra.cli.status:status",
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage, 10 settings, 11 secrets, 20-24 hosts, 30-31 registry, 40 gate, 50 checks, "
    "60 the update failed, 70 tools, 80 unreadable history; `lab status` ends with 3 unless all of the lab is up. "
    "A release is made with `pulumi up --stack STACK`, which has exit codes of its own.",
)
@click.version_option(package_name="acp-release")
def main() -> None:
    """Release Analyst Copilot, look at what serves, and take it back."""
