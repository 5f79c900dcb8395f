#!/bin/sh
# The command line on a machine with these units. Install it as /usr/local/bin/sluice and run it as
# root, who alone can read the secrets: sluice workers, sluice doctor, sluice dead.
set -eu
secrets=/etc/sluice/secrets

# A secret's file, if it is on this machine: not every machine runs every role.
secret() { [ ! -r "$secrets/$2" ] || export "$1=$secrets/$2"; }
secret SLUICE_REDIS_URL_FILE redis-url
secret SLUICE_LEDGER_URL_FILE ledger-url
secret SLUICE_REGIONS_FILE regions-operator
secret SLUICE_JWT_SECRET_FILE jwt-secret
secret SLUICE_PROVIDER_URL_FILE provider-url

# The settings of all roles.
if [ -r /etc/sluice/sluice.env ]; then
  set -a
  . /etc/sluice/sluice.env
  set +a
fi
cd /opt/sluice
exec node_modules/.bin/bun cli/cli.ts "$@"
