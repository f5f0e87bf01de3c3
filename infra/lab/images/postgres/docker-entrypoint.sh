#!/bin/sh
# First start: make the database cluster for POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB in PGDATA.
# The cluster is made in PGDATA/new and moved up with PG_VERSION last, so a kill at any point is made good next time.
set -eu
umask 077

make_cluster() {
    new="$PGDATA/new"
    if [ ! -e "$new/complete" ]; then
        if [ -z "${POSTGRES_PASSWORD:-}" ]; then
            echo "error: POSTGRES_PASSWORD must be set for the first start" >&2
            exit 1
        fi
        user="${POSTGRES_USER:-postgres}"
        database="${POSTGRES_DB:-$user}"
        rm -rf "$new"
        # `--pwfile` is a pipe: the password is in no argument and no file.
        printf '%s\n' "$POSTGRES_PASSWORD" |
            initdb --pgdata="$new" --username="$user" --pwfile=/dev/stdin \
                --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
        echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
        pg_ctl --pgdata="$new" --wait -o "-c listen_addresses=''" start
        if [ "$database" != postgres ]; then
            createdb --username="$user" --maintenance-db=postgres -- "$database"
        fi
        for script in /docker-entrypoint-initdb.d/*; do
            case "$script" in
                *.sql) psql --username="$user" --dbname="$database" --no-psqlrc -v ON_ERROR_STOP=1 -f "$script" ;;
                *.sh) PGUSER="$user" PGDATABASE="$database" sh "$script" ;;
            esac
        done
        pg_ctl --pgdata="$new" --wait --mode=fast stop
        touch "$new/complete"
    fi
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION ! -name complete -exec mv {} "$PGDATA"/ \;
    mv "$new/PG_VERSION" "$PGDATA/PG_VERSION"
    rm -rf "$new"
}

if [ "${1#-}" != "$1" ]; then
    set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
    mkdir -p "$PGDATA"
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres {} +
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    chmod 700 "$PGDATA"
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        make_cluster
    fi
    shift
    # Settings given by the caller come last and win.
    set -- postgres -c listen_addresses='*' "$@"
fi
exec "$@"
