"""`acp-release`: the operator's commands."""

from __future__ import annotations

import click

from infra.cli.apply import apply
from infra.cli.audit import audit
from infra.cli.build import build
from infra.cli.check import check
from infra.cli.docs import docs
from infra.cli.history import history
from infra.cli.install_keys import install_keys
from infra.cli.load import load_command
from infra.cli.notifications import notifications
from infra.cli.notify import notify
from infra.cli.options import ErrorGroup
from infra.cli.preview import preview
from infra.cli.prune import prune
from infra.cli.report import report
from infra.cli.resources import resources
from infra.cli.rollback import rollback
from infra.cli.scan import scan
from infra.cli.setup_github import setup_github
from infra.cli.show import show
from infra.cli.sign import sign
from infra.cli.smoke import smoke
from infra.cli.status import status
from infra.lab.cli import lab
from infra.toolchain.doctor import doctor


@click.group(
    cls=ErrorGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage, 10 settings, 11 secrets, 20-24 hosts, 30-31 registry, 40 gate, 50 checks, "
    "60 reverted, 70 tools. A release is made with `pulumi up --stack STACK`.",
)
@click.version_option(package_name="acp-release")
def main() -> None:
    """Release Analyst Copilot, look at what serves, and take it back."""


for command in (
    apply,
    audit,
    build,
    check,
    docs,
    doctor,
    history,
    install_keys,
    lab,
    load_command,
    notifications,
    notify,
    report,
    resources,
    preview,
    prune,
    rollback,
    scan,
    setup_github,
    show,
    sign,
    smoke,
    status,
):
    main.add_command(command)
