"""Every pinned version, in one place: what `up` installs is what `doctor` asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = (3, 11)
GO = (1, 26)
DOCKER_ENGINE = (20, 10)
COMPOSE = (2, 20)
BUILDX = (0, 12)
COSIGN = (2, 2)
TRIXIE = "trixie"  # the Debian release whose compose and buildx packages also run on the release before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """A file that a tool needs beside its binary and that lies in a Go module."""

    folder: str  # the module folder under modules/ whose go.sum pins it
    module: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoTool:
    """A tool with its pinned version and how it is built from the Go module in `modules/<name>/`."""

    name: str
    version: str
    executable: str
    package: str
    about_seconds: int  # on two cores with an empty build cache
    ldflags: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[ModuleFile, ...] = ()
    version_argv: tuple[str, ...] = ()  # empty: the tool cannot tell, so a copy on PATH is not taken
    exact: bool = False  # True: another version on PATH does not do, as results depend on it
    parts: tuple[GoTool, ...] = ()  # built from modules of their own into the same folder
    plugin: bool = False  # True: it goes into Pulumi's plugin cache instead of the virtual environment

    @property
    def together(self) -> tuple[GoTool, ...]:
        """Return the tool and its parts."""
        return (self, *self.parts)

    @property
    def executables(self) -> tuple[str, ...]:
        """Return the names of all files that the tool puts side by side."""
        extras = (extra.path.rsplit("/", 1)[-1] for tool in self.together for extra in tool.files)
        return (*(tool.executable for tool in self.together), *extras)


PULUMI = "3.259.0"
PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"

# Pulumi looks for its language hosts beside itself, and says a warning at every run when they are elsewhere.
LANGUAGE_HOST = GoTool(
    name="language-python",
    version="3.79.0",  # the last language host inside sdk/v3; later ones are a module that no proxy serves
    executable="pulumi-language-python",
    package=f"{PULUMI_SDK}/python/cmd/pulumi-language-python",
    ldflags=f"-X {PULUMI_SDK}/go/common/version.Version=v3.79.0",
    about_seconds=20,
    files=(
        ModuleFile(folder="pulumi", module=PULUMI_SDK, path="python/cmd/pulumi-language-python-exec"),
        ModuleFile(folder="pulumi", module=PULUMI_SDK, path="python/dist/pulumi-resource-pulumi-python"),
    ),
)

GO_TOOLS = (
    GoTool(
        name="pulumi",
        version=PULUMI,
        executable="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        ldflags=f"-X {PULUMI_SDK}/go/common/version.Version=v{PULUMI}",
        about_seconds=240,
        version_argv=("version",),
        parts=(LANGUAGE_HOST,),
    ),
    GoTool(
        name="docker-build",
        version="0.0.22",
        executable="pulumi-resource-docker-build",
        package="github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build",
        ldflags="-X github.com/pulumi/pulumi-docker-build/provider.Version=0.0.22",
        about_seconds=170,
        plugin=True,
    ),
    GoTool(
        name="k6",
        version="1.8.1",
        executable="k6",
        package="go.k6.io/k6",
        about_seconds=80,
        version_argv=("version",),
        exact=True,
    ),
    GoTool(
        name="actionlint",
        version="1.7.12",
        executable="actionlint",
        package="github.com/rhysd/actionlint/cmd/actionlint",
        ldflags="-X github.com/rhysd/actionlint.version=1.7.12",
        about_seconds=10,
        version_argv=("-version",),
    ),
    GoTool(
        name="trivy-database",
        version="0.1.0",
        executable="acp-trivy-database",
        package=".",
        about_seconds=5,
    ),
    GoTool(
        name="trivy",
        version="0.74.0",
        executable="trivy",
        package="github.com/aquasecurity/trivy/cmd/trivy",
        ldflags="-X github.com/aquasecurity/trivy/pkg/version/app.ver=0.74.0",
        env={"GOEXPERIMENT": "jsonv2"},
        about_seconds=420,
        version_argv=("--version",),
        exact=True,
    ),
)
