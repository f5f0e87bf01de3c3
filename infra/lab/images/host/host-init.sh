#!/bin/bash
# The init of a lab machine. `docker restart` of its container is a reboot; /etc/acp-lab holds what the lab gives it.
set -u
given=/etc/acp-lab

boot() {
    # What a hard stop left behind would keep dockerd from starting.
    rm -rf /var/run/docker.pid /var/run/docker /var/run/containerd /var/run/acp-lab
    mkdir -p /run/sshd /run/acp-lab

    install -m 600 "$given/ssh_host_ed25519_key" /etc/ssh/ssh_host_ed25519_key
    install -d -m 700 -o deploy -g deploy /home/deploy /home/deploy/.ssh
    local keys=/home/deploy/.ssh/authorized_keys
    touch "$keys"
    grep -qxFf "$given/setup.pub" "$keys" || cat "$given/setup.pub" >>"$keys"
    chown deploy:deploy "$keys"
    chmod 600 "$keys"

    local server
    server=$(cat "$given/registry_server")
    install -D -m 644 "$given/ca.pem" "/etc/docker/certs.d/$server/ca.crt"
    if ! cmp -s "$given/ca.pem" /usr/local/share/ca-certificates/acp-lab.crt; then
        install -m 644 "$given/ca.pem" /usr/local/share/ca-certificates/acp-lab.crt
        update-ca-certificates >/dev/null 2>&1
    fi
}

# Start "$@" and start it again when it ends, as an init system does; its process id is in /run/acp-lab/<name>.pid.
keep_running() {
    local name=$1
    shift
    while [ ! -e /run/acp-lab/halting ]; do
        "$@" &
        echo "$!" >"/run/acp-lab/$name.pid"
        wait "$!"
        echo "host-init: $name ended with status $?" >&2
        sleep 1
    done
}

halt() {
    touch /run/acp-lab/halting
    kill "$(cat /run/acp-lab/sshd.pid)" 2>/dev/null
    local docker
    docker=$(cat /run/acp-lab/dockerd.pid)
    kill "$docker" 2>/dev/null
    # dockerd gives its containers 10 s, as a machine does that shuts down.
    for _ in $(seq 250); do
        kill -0 "$docker" 2>/dev/null || break
        sleep 0.1
    done
    exit 0
}

trap halt TERM INT
boot
keep_running sshd /usr/sbin/sshd -D -e &
keep_running dockerd dockerd &
wait
