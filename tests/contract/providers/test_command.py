from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from tests.contract.providers.engine_run import is_secret
from tests.contract.providers.sdk import Command, ConnectionArgs, Logging

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.providers.conftest import Host
    from tests.contract.providers.engine_run import Outcome, StackRun

pytestmark = pytest.mark.lab

STDIN_SECRET = "stdin-3f9a1c"
COMMAND_SECRET = "command-77be02"
FAILED_SECRET = "failed-51d0aa"
LONG_LINE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A stack taken through its life: created, run again unchanged, changed, changed again, previewed, destroyed."""

    created: Outcome
    created_state: dict[str, dict[str, Any]]
    unchanged: Outcome
    changed: Outcome
    changed_state: dict[str, dict[str, Any]]
    previewed: Outcome
    destroyed: Outcome
    stored: str
    journal: dict[str, list[str]]


def declare(host: Host, version: int, *, failing: bool = False) -> None:
    """Declare one resource per row of behaviour; `version` 2 changes them, `failing` adds what cannot be created."""
    folder = host.folder
    connection = host.connection()

    def command(name: str, **inputs: Any) -> Command:
        wanted: dict[str, Any] = {"connection": connection, "add_previous_output_in_env": False, **inputs}
        return Command(name, **wanted)

    journal = f"cat >> {folder}/"
    command(
        "cmd",
        create=f"cat > /dev/null; echo out{version}; echo; echo err{version} >&2",
        stdin=pulumi.Output.secret(STDIN_SECRET),
    )
    command("updated", create="echo created", update=f"echo updated {version}")
    command(
        "triggered",
        create=f"echo create {version} | {journal}triggered",
        delete=f"echo delete | {journal}triggered",
        triggers=[version],
    )
    command("deleted", create="true", delete=f"echo deleted | {journal}deleted")
    command("secret", create=pulumi.Output.secret(f"echo {COMMAND_SECRET}"))
    command("silent", create="echo shown-never", logging=Logging.NONE)
    command("stderr-only", create="echo to-stdout; echo to-stderr >&2", logging=Logging.STDERR)
    command("loud", create="echo shown-live")
    command("long-line", create=f"head -c {LONG_LINE} /dev/zero | tr '\\0' x")
    command("no-stdin", create="cat; echo ended")
    command("accepted", create="echo $LC_CONTRACT", environment={"LC_CONTRACT": "taken"})
    command("later-failing", create="echo fine" if version == 1 else "echo broken; exit 3")
    command("rekeyed", create=f"echo run | {journal}rekeyed", connection=host.connection(dial_error_limit=2 + version))
    Command("previous", connection=connection, create="echo first", update=f"echo second {version}")
    if failing:
        declare_failing(host, folder)


def declare_failing(host: Host, folder: str) -> None:
    """Declare commands that cannot be created."""

    def command(name: str, connection: ConnectionArgs | None = None, **inputs: Any) -> None:
        Command(name, connection=connection or host.connection(), **inputs)

    command("exit-7", create='cat; echo "to\tstderr" >&2; exit 7', logging=Logging.NONE,
            stdin=pulumi.Output.secret(FAILED_SECRET))  # fmt: skip
    command("killed", create="kill -9 $$")
    command("refused-variable", create=f"touch {folder}/must-not-exist", environment={"CONTRACT": "x"})
    command("unreachable", host.connection(port=1, dial_error_limit=2), create="true")
    command("wrong-host-key", host.connection(host_key=other_host_key(host), dial_error_limit=1), create="true")
    command("wrong-user", host.connection(user="nobody", dial_error_limit=0), create="true")


def other_host_key(host: Host) -> str:
    """Return a host key that is not this host's."""
    return str(host.lab.inventory["hosts"][1]["host_key"])


def declare_unknown(host: Host) -> None:
    """Declare a command whose text is only known when another one has run, and one that cannot be reached."""
    declare(host, 2)
    first = Command("first", connection=host.connection(port=1), create="echo x")
    Command("second", connection=host.connection(port=1), create=first.stdout.apply(lambda text: f"echo {text}"))


@pytest.fixture(scope="module")
def steps(host: Host, new_stack: Callable[[], StackRun]) -> Steps:
    """Take the stack through its life."""
    stack = new_stack()
    created, created_state = stack.up(lambda: declare(host, 1, failing=True), failing=True), stack.state()
    unchanged = stack.up(lambda: declare(host, 1))
    changed, changed_state = stack.up(lambda: declare(host, 2), failing=True), stack.state()
    previewed = stack.preview(lambda: declare_unknown(host))
    destroyed = stack.destroy()
    return Steps(
        created=created,
        created_state=created_state,
        unchanged=unchanged,
        changed=changed,
        changed_state=changed_state,
        previewed=previewed,
        destroyed=destroyed,
        stored=stack.stored(),
        journal={
            name: host.run(f"cat {host.folder}/{name} || true").splitlines()
            for name in ("triggered", "deleted", "rekeyed")
        },
    )


def test_id_is_the_name_and_eight_hex_digits(steps: Steps) -> None:
    """A command's id is its name followed by eight hexadecimal digits."""
    resource_id = steps.created_state["cmd"]["id"]
    assert resource_id.startswith("cmd")
    assert len(bytes.fromhex(resource_id.removeprefix("cmd"))) == 4


def test_outputs_are_the_inputs_and_both_streams_without_their_last_newline(steps: Steps) -> None:
    """Exactly one newline is cut from the end of stdout and stderr, and every input is an output."""
    outputs = steps.created_state["cmd"]["outputs"]
    assert (outputs["stdout"], outputs["stderr"]) == ("out1\n", "err1")
    assert set(outputs) == {*steps.created_state["cmd"]["inputs"], "stdout", "stderr"}
    assert outputs["addPreviousOutputInEnv"] is False


def test_connection_and_secret_stdin_are_secret_in_the_state(steps: Steps, host: Host) -> None:
    """Neither the private key nor a secret stdin is in clear in the state, its backups or the history."""
    for part in ("inputs", "outputs"):
        assert is_secret(steps.created_state["cmd"][part]["connection"])
        assert is_secret(steps.created_state["cmd"][part]["stdin"])
    key_line = host.private_key.splitlines()[1]
    assert STDIN_SECRET not in steps.stored
    assert key_line not in steps.stored


def test_output_is_in_clear_unless_the_command_is_secret(steps: Steps) -> None:
    """Stdout is stored in clear, also beside a secret connection and stdin; a secret command makes it secret."""
    assert steps.created_state["cmd"]["outputs"]["stdout"] == "out1\n"
    assert is_secret(steps.created_state["secret"]["outputs"]["stdout"])
    assert COMMAND_SECRET not in steps.stored


def test_unchanged_commands_are_not_run_again(steps: Steps) -> None:
    """A second run of the same program changes nothing."""
    assert steps.unchanged.succeeded
    assert all(operations == ["same"] for operations in steps.unchanged.operations.values())


def test_changed_create_is_an_update_in_place_that_runs_create(steps: Steps) -> None:
    """Without an update command a changed input runs `create`; the id stays."""
    assert steps.changed.operations["cmd"] == ["update"]
    assert steps.changed_state["cmd"]["outputs"]["stdout"] == "out2\n"
    assert steps.changed_state["cmd"]["id"] == steps.created_state["cmd"]["id"]


def test_update_command_runs_instead_of_create(steps: Steps) -> None:
    """With an update command an update runs that."""
    assert steps.created_state["updated"]["outputs"]["stdout"] == "created"
    assert steps.changed_state["updated"]["outputs"]["stdout"] == "updated 2"


def test_changed_trigger_replaces_new_one_first(steps: Steps) -> None:
    """A changed trigger creates the new one and then runs the old one's delete command."""
    assert steps.changed.operations["triggered"] == ["create-replacement", "replace", "delete-replaced"]
    assert steps.journal["triggered"] == ["create 1", "create 2", "delete", "delete"]


def test_changed_connection_runs_the_command_again(steps: Steps) -> None:
    """Any changed input, the connection too, is an update in place that runs the command."""
    assert steps.changed.operations["rekeyed"] == ["update"]
    assert steps.journal["rekeyed"] == ["run", "run"]


def test_delete_command_runs_when_the_resource_is_destroyed(steps: Steps) -> None:
    """`delete` runs once, at the end."""
    assert steps.destroyed.succeeded
    assert steps.journal["deleted"] == ["deleted"]


def test_failed_update_keeps_the_old_state(steps: Steps) -> None:
    """A failed update leaves inputs and outputs as they were."""
    assert "Process exited with status 3" in steps.changed.errors["later-failing"]
    assert steps.changed_state["later-failing"]["inputs"]["create"] == "echo fine"
    assert steps.changed_state["later-failing"]["outputs"]["stdout"] == "fine"


def test_failed_create_leaves_nothing_in_the_state(steps: Steps) -> None:
    """A command that failed is not in the state."""
    assert not steps.created.succeeded
    assert not {"exit-7", "killed", "unreachable", "wrong-host-key"} & set(steps.created_state)


def test_failure_names_status_and_command_and_quotes_all_output(steps: Steps) -> None:
    """The text has the command as Go quotes it and all of stdout and stderr, even with logging off."""
    text = steps.created.errors["exit-7"]
    command = 'cat; echo \\"to\\tstderr\\" >&2; exit 7'
    assert f'Process exited with status 7: running "{command}":\n' in text
    assert "to\tstderr" in text
    assert FAILED_SECRET in text


def test_command_killed_by_a_signal_names_it(steps: Steps) -> None:
    """A signal is told with the status a shell gives it."""
    assert "Process exited with status 137 from signal KILL: running" in steps.created.errors["killed"]


def test_refused_variable_fails_before_the_command_runs(steps: Steps, host: Host) -> None:
    """A variable that sshd does not accept is an error, and the command never starts."""
    assert (
        'could not set environment variable "CONTRACT": ssh: setenv failed' in steps.created.errors["refused-variable"]
    )
    assert "must-not-exist" not in host.run(f"ls {host.folder}").split()


def test_accepted_variable_reaches_the_command(steps: Steps) -> None:
    """A variable that sshd accepts is in the command's environment."""
    assert steps.created_state["accepted"]["outputs"]["stdout"] == "taken"


def test_refused_previous_output_is_only_a_warning(steps: Steps) -> None:
    """The last output, offered as a variable, may be refused: the command runs and a warning says so."""
    assert steps.changed_state["previous"]["outputs"]["stdout"] == "second 2"
    assert "Unable to set 'PULUMI_COMMAND_STDOUT'" in steps.changed.warnings["previous"]


def test_unreachable_host_fails_after_the_limit(steps: Steps) -> None:
    """A refused connection is tried again as often as the limit says."""
    text = steps.created.errors["unreachable"]
    assert "after 2 failed attempts: dial tcp" in text
    assert "connection refused" in text


def test_wrong_host_key_is_refused(steps: Steps) -> None:
    """A host that shows another key than the pinned one gets nothing."""
    assert (
        "after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch"
        in steps.created.errors["wrong-host-key"]
    )


def test_refused_login_is_told(steps: Steps) -> None:
    """A login that the host refuses fails with the methods that were tried."""
    text = steps.created.errors["wrong-user"]
    assert "ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain" in text


def test_output_is_shown_while_it_runs_as_logging_says(steps: Steps) -> None:
    """By default both streams are shown; `none` shows nothing and `stderr` only that."""
    shown = steps.created.shown
    assert shown["loud"] == ["shown-live"]
    assert "silent" not in shown
    assert shown["stderr-only"] == ["to-stderr"]


def test_command_without_stdin_reads_an_empty_one(steps: Steps) -> None:
    """A command that reads stdin ends when none is given."""
    assert steps.created_state["no-stdin"]["outputs"]["stdout"] == "ended"


def test_long_line_arrives_whole(steps: Steps) -> None:
    """A line of any length is stored; where the official plugin hangs, ours does not."""
    assert len(steps.created_state["long-line"]["outputs"]["stdout"]) == LONG_LINE


def test_preview_runs_nothing_and_knows_no_output(steps: Steps) -> None:
    """A preview connects to no host; what depends on output is unknown and still planned."""
    assert steps.previewed.succeeded
    assert steps.previewed.operations["first"] == ["create"]
    assert steps.previewed.operations["second"] == ["create"]
