#!/bin/sh
set -e

if [ "${1#-}" != "$1" ]; then
    set -- haproxy "$@"
fi
if [ "$1" = haproxy ]; then
    shift
    # Master-worker mode: SIGUSR2 to the master reloads without dropping a connection.
    set -- haproxy -W -db "$@"
fi
exec "$@"
