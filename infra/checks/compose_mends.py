"""What to do about each key of a compose file that hosts refuse in a release."""

from __future__ import annotations

_SECRETS = "take it out: `${NAME}` in `environment` takes a secret that is in acp:secrets.names"
_NAMES = "take it out: services find each other by name on their networks, and others by DNS"
_HOOKS = "take it out: do it in the image's entrypoint"
_NETWORKS = "use `front` and `data`, each declared as {external: true}"
MENDS = {
    "build": "take it out: acp:images says how an image is built",
    "configs": "take it out: put the file into the image",
    "container_name": "take it out: a container is named after its release, service and replica",
    "domainname": _NAMES,
    "env_file": "write its lines under `environment`, a secret as `${NAME}` with NAME in acp:secrets.names",
    "extends": "write the keys out, or use a YAML anchor",
    "external_links": _NAMES,
    "extra_hosts": _NAMES,
    "image": "give the service an entry in acp:services with an image of acp:images, or take it out (acp:core has "
    "data services)",
    "include": "write the services out in this file",
    "links": _NAMES,
    "network_mode": f"take it out, and {_NETWORKS}",
    "networks": _NETWORKS,
    "ports": "take it out: the edge publishes acp:services.NAME.routes.public_port",
    "post_start": _HOOKS,
    "pre_stop": _HOOKS,
    "profiles": "take it out: every service of the file is started",
    "secrets": _SECRETS,
    "security_opt": "keep no-new-privileges:true alone",
    "volumes": "use tmpfs with a size for what may be lost, and for the rest a volume of acp:core.volumes, declared as "
    "{external: true, name: acp-STACK-NAME}",
}
"""By key of a service, or of the file."""


def mend_of(path: str, default: str = "take it out") -> str:
    """Return what to do about a problem at `path`, as `services.web.volumes[0]` or `networks.own`."""
    first, *rest = path.split(".")
    key = rest[-1].partition("[")[0] if first == "services" and rest else first
    return MENDS.get(key, default)
