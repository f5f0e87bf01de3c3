"""The edge's containers: one that holds the published ports, and one that took its sockets over for a newer image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .settings import EdgeSettings

PROJECT = "acp-edge"
HOLDER = "acp-edge"
RELIEFS = ("acp-edge-relief-a", "acp-edge-relief-b")
LOG_OPTIONS = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}

# Not `docker kill`: Docker takes any signal for the wish that the container stays down after its next end.
RETIRE = 'kill -USR1 "$(cat "/run/acp/$ACP_EDGE_NAME/serve.pid")"'
SERVE_SCRIPT = """\
#!/bin/sh
# Runs HAProxy while it holds the lock, waits for the lock otherwise: so one container serves, and another is ready to.
# A restart, for whatever reason, begins on the committed routes.
set -u
run="/run/acp/$ACP_EDGE_NAME"
export ACP_RUN="$run"
echo $$ > "$run/serve.pid"
pid=
exec 9>>/run/acp/serve.lock

start() {
    haproxy -W -db -S "$run/master.sock,mode,600" -f "$run/active.cfg" "$@" 9>&- &
    pid=$!
}
retire() {
    [ -n "$pid" ] && kill -USR1 "$pid"
    pid=
    flock -u 9
}
trap retire USR1
trap '[ -n "$pid" ] && kill -TERM "$pid"; exit 0' TERM INT

if [ -f "$run/take-over" ]; then
    old=$(cat "$run/take-over")
    rm -f "$run/take-over"
    start -x "$old"
    flock 9 &
    while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
    sleep 2
fi
while :; do
    flock 9 &
    waiting=$!
    while kill -0 "$waiting" 2>/dev/null; do wait "$waiting"; done
    ln -sfn /edge/committed.cfg "$run/active.cfg"
    began=$(date +%s)
    start
    while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
    [ $(($(date +%s) - began)) -gt 1 ] || sleep 1
    [ -n "$pid" ] || sleep 2
done
"""


def edge_document(settings: EdgeSettings, *, folder: str, user: str, images: dict[str, str]) -> dict[str, Any]:
    """Return the compose document; `images` maps container names to images by digest, `user` is a numeric uid:gid."""
    services = {HOLDER: _holder(settings, folder, user, images[HOLDER])}
    for name in RELIEFS:
        if name in images:
            services[name] = _relief(name, folder, user, images[name])
    return {"services": services, "networks": {"front": {"name": settings.network, "external": True}}}


def _common(name: str, folder: str, user: str, image: str) -> dict[str, Any]:
    return {
        "image": image,
        "container_name": name,
        "user": user,
        "entrypoint": ["/bin/sh", "/edge/serve.sh"],
        "command": [],
        "environment": {"ACP_EDGE_NAME": name},
        "restart": "always",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "3s",
        "healthcheck": {"disable": True},
        "logging": LOG_OPTIONS,
        "labels": {"acp.part": "edge"},
        "volumes": [
            {"type": "bind", "source": f"{folder}/config", "target": "/edge", "read_only": True},
            {"type": "bind", "source": f"{folder}/run", "target": "/run/acp"},
        ],
    }


def _holder(settings: EdgeSettings, folder: str, user: str, image: str) -> dict[str, Any]:
    """Return the container that has the network and the published ports."""
    public = [_port(settings.bind_address, port) for port in settings.listening_ports]
    verify = [_port("127.0.0.1", port) for port in settings.verify_ports]
    return {
        **_common(HOLDER, folder, user, image),
        "networks": ["front"],
        "ports": [*public, *verify],
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
    }


def _relief(name: str, folder: str, user: str, image: str) -> dict[str, Any]:
    """Return a container that lives in the holder's network and process space, and ends with it."""
    return {**_common(name, folder, user, image), "network_mode": f"container:{HOLDER}", "pid": f"container:{HOLDER}"}


def _port(address: str, port: int) -> dict[str, Any]:
    return {"target": port, "published": str(port), "host_ip": address, "protocol": "tcp", "mode": "host"}
