#!/bin/sh
set -eu

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis {} +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
if [ "$1" = redis-server ] && [ "$#" -eq 1 ]; then
    # The settings come on stdin, so that the password is in no argument and no file.
    settings="bind * -::*
protected-mode no
dir /data
appendonly yes"
    if [ -n "${REDIS_PASSWORD:-}" ]; then
        settings="$settings
requirepass $REDIS_PASSWORD"
    fi
    exec redis-server - <<EOF
$settings
EOF
fi
exec "$@"
