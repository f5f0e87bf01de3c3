"""Files and folders to a host over SFTP, where the official plugin would put them.

| source | destination is a folder | does not exist | is a file |
|---|---|---|---|
| `dir` | `dest/dir` | `dest/dir` | error |
| `dir/` | the entries, into `dest` | the entries, into `dest` | error |
| file | `dest/file` | `dest` | `dest`, overwritten |
| text | error | `dest` | `dest`, overwritten |
"""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.gotext import system_error

if TYPE_CHECKING:
    from infra.toolchain.plugins.command.source import Source


async def copy(client: asyncssh.SSHClientConnection, source: Source, destination: str) -> None:
    """Copy `source` to `destination`; parents are made, nothing is ever deleted, modes are the server's."""
    async with client.start_sftp_client() as sftp:
        if source.path is None:
            await _copy_text(sftp, source.text or "", destination)
        else:
            await _copy_path(sftp, source.path, destination)


async def _copy_text(sftp: asyncssh.SFTPClient, text: str, destination: str) -> None:
    """Write `text` to a file."""
    if await _is_folder(sftp, destination):
        message = f"remote path {destination} is a directory; when using a text asset, remotePath must be a file path"
        raise PluginError(message)
    await _make_parents(sftp, destination)
    try:
        async with sftp.open(destination, "wb") as remote:
            await remote.write(text.encode())
    except asyncssh.SFTPError as error:
        message = f"failed to create remote file {destination}: {_reason(error)}"
        raise PluginError(message) from None


async def _copy_path(sftp: asyncssh.SFTPClient, path: str, destination: str) -> None:
    """Copy a file or folder of this machine."""
    is_folder = _is_local_folder(path)
    exists_as_folder = await _is_folder(sftp, destination)
    name = posixpath.basename(path.rstrip("/"))
    if is_folder:
        target = destination if path.endswith("/") else posixpath.join(destination, name)
        if exists_as_folder is None:
            await _make_folders(sftp, destination)
        await _copy_folder(sftp, path, target)
    elif exists_as_folder:
        await _copy_file(sftp, path, posixpath.join(destination, name))
    else:
        if exists_as_folder is None:
            await _make_parents(sftp, destination)
        await _copy_file(sftp, path, destination)


def _is_local_folder(path: str) -> bool:
    """Say whether a path of this machine is a folder; it must exist."""
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except OSError as error:
        message = f"open {path}: {system_error(error)}"
        raise PluginError(message) from None


async def _copy_folder(sftp: asyncssh.SFTPClient, path: str, target: str) -> None:
    """Copy a folder's entries into `target`, folder by folder in the order of names."""
    for folder, subfolders, files in os.walk(path):
        subfolders.sort()
        remote = posixpath.normpath(posixpath.join(target, posixpath.relpath(folder, path)))
        exists_as_folder = await _is_folder(sftp, remote)
        if exists_as_folder is False:
            message = f"remote path {remote} exists but is not a directory"
            raise PluginError(message)
        if exists_as_folder is None:
            await _make_folders(sftp, remote)
        for name in sorted(files):
            await _copy_file(sftp, posixpath.join(folder, name), posixpath.join(remote, name))


async def _copy_file(sftp: asyncssh.SFTPClient, path: str, target: str) -> None:
    """Copy one file to exactly `target`."""
    try:
        await sftp.put(path, target)
    except asyncssh.SFTPError as error:
        message = f"failed to create remote file {target}: {_reason(error)}"
    except OSError as error:
        message = f"open {path}: {system_error(error)}"
    else:
        return
    raise PluginError(message)


async def _is_folder(sftp: asyncssh.SFTPClient, path: str) -> bool | None:
    """Say whether a remote path is a folder; None when there is nothing."""
    try:
        return (await sftp.stat(path)).type == asyncssh.FILEXFER_TYPE_DIRECTORY
    except asyncssh.SFTPNoSuchFile:
        return None
    except asyncssh.SFTPError as error:
        message = f"failed to stat remote path {path}: {_reason(error)}"
        raise PluginError(message) from None


async def _make_parents(sftp: asyncssh.SFTPClient, path: str) -> None:
    """Make the folder that `path` goes into, and those above it."""
    parent = posixpath.dirname(path)
    if not parent or await _is_folder(sftp, parent):
        return
    try:
        await sftp.makedirs(parent, exist_ok=True)
    except asyncssh.SFTPError as error:
        message = f"failed to create parent directories for {path}: {_reason(error)}"
        raise PluginError(message) from None


async def _make_folders(sftp: asyncssh.SFTPClient, path: str) -> None:
    """Make a folder and those above it."""
    try:
        await sftp.makedirs(path, exist_ok=True)
    except asyncssh.SFTPError as error:
        message = f"failed to create remote directory {path}: {_reason(error)}"
        raise PluginError(message) from None


def _reason(error: asyncssh.SFTPError) -> str:
    """Return an SFTP error in the official plugin's words."""
    if isinstance(error, asyncssh.SFTPNoSuchFile):
        return "file does not exist"
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return "permission denied"
    return f'sftp: "{error.reason}" (SSH_FX_FAILURE)'
