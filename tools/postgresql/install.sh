#!/bin/sh
# Installs the programs of PostgreSQL that make test-real needs, unless they are there. PostgreSQL is written in C: no Go
# module has it. No server is set up or started: the tests start their own.
set -eu

missing=
for program in initdb pg_ctl psql; do
	command -v "$program" > /dev/null || ls /usr/lib/postgresql/*/bin/"$program" > /dev/null 2>&1 || missing="$missing $program"
done
if [ -z "$missing" ]; then
	exit 0
fi
if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
	echo "want the programs of PostgreSQL$missing: as root on Debian or Ubuntu run tools/postgresql/install.sh," \
		"on Fedora dnf install postgresql-server, on macOS brew install postgresql" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends postgresql-common
mkdir -p /etc/postgresql-common/createcluster.d
echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/no-server.conf
apt-get install -y --no-install-recommends postgresql
