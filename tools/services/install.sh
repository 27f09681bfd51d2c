#!/bin/sh
# Installs RabbitMQ, Redis, PostgreSQL, MariaDB, Chromium, and the Java and Maven that Kafka needs, from the system's package
# archive for the tests, which start private instances and have Maven fetch Kafka. The system's own services are not started, now
# or when the machine starts.
set -eu

missing=
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null 2>&1 ||
  missing="$missing rabbitmq-server"
command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ||
  missing="$missing postgresql"
# These two have all that is needed of MariaDB, and no service.
{ command -v mariadbd || [ -x /usr/sbin/mariadbd ]; } >/dev/null 2>&1 && command -v my_print_defaults >/dev/null 2>&1 ||
  missing="$missing mariadb-server-core mariadb-client-core"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v java >/dev/null 2>&1 || missing="$missing default-jre-headless"
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
  command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
if [ -z "$missing" ]; then
  echo 'RabbitMQ, Redis, PostgreSQL, MariaDB, Chromium, Java and Maven are installed.'
  exit 0
fi

fail() {
  echo "services:install: $1" >&2
  exit 1
}
if ! command -v apt-get >/dev/null 2>&1; then
  if command -v brew >/dev/null 2>&1; then
    fail 'run `brew install rabbitmq redis openjdk maven postgresql mariadb chromium` and try again.'
  fi
  fail "install$missing with the package manager of this system, or use docker-compose.yml."
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root='sudo -n'
  $as_root true 2>/dev/null || fail "not root here: run \`sudo apt-get install$missing\`, or use docker-compose.yml."
fi

# A package's installation starts its service unless this policy forbids it (exit code 101). The policy that
# was there comes back, also after Ctrl-C.
policy=/usr/sbin/policy-rc.d
saved=$policy.before-event-tracker
restore() {
  if [ -e "$saved" ]; then $as_root mv -f "$saved" "$policy"; else $as_root rm -f "$policy"; fi
}
if [ -e "$policy" ] && [ ! -e "$saved" ]; then $as_root mv "$policy" "$saved"; fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
$as_root chmod 755 "$policy"

# The lists of packages are fetched only when those here do not do: when they are empty or out of date.
apt_install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
apt_install || {
  $as_root apt-get update
  apt_install
} || fail "apt-get could not install$missing: see above."
# A service is called like its package, or like that without `-server`.
if command -v systemctl >/dev/null 2>&1; then
  for package in $missing; do
    for service in "$package" "${package%-server}"; do $as_root systemctl --quiet disable "$service" 2>/dev/null || true; done
  done
fi
echo "Installed$missing."
