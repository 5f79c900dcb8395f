#!/bin/sh
# Makes the secrets that docker-compose.yml mounts into its containers: random ones, once.
#
#   deploy/compose/secrets.sh [FOLDER]      by default the folder secrets beside this file
#
# Postgres keeps the password of its first start. A folder that exists is therefore left as it is;
# to change a secret, change its file. The folder is its user's alone. Its files can be read by
# others, since a container's user has another number.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/secrets}
if [ -e "$dir" ]; then
  echo "$dir exists already and stays as it is; remove it to make new secrets" >&2
  exit 1
fi
umask 077
new=$dir.new
rm -rf "$new"
mkdir "$new"

# 32 random bytes as hexadecimal digits, which need no escapes in a URL.
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
put() {
  printf '%s' "$2" > "$new/$1"
  chmod 444 "$new/$1"
}
# The brokers as one user: the home region first.
regions() {
  echo "eu=amqp://$1:$2@rabbitmq-eu:5672/sluice,us=amqp://$1:$2@rabbitmq-us:5672/sluice"
}

redis=$(random)
board=$(random)
postgres=$(random)
put jwt-secret "$(random)"
put webhook-secret "$(random)"
put redis-password "$redis"
put redis-url "redis://:$redis@redis:6379"
put redis-board-url "redis://board:$board@redis:6379"
put postgres-password "$postgres"
put ledger-url "postgres://sluice:$postgres@postgres:5432/sluice"

# Roles without stores report themselves as the user `board`, which can do nothing else.
put redis.acl "user default on >$redis ~* &* +@all
user board on >$board ~{members}:roles ~{members}:paused %R~{members}:workers \
%R~{members}:owners +hset +hget +hdel +hgetall +time +info
"

definitions=$(cat "$here/rabbitmq-definitions.json")
for user in gateway worker payments rates operator service-warehouse; do
  name=${user#service-}
  password=$(random)
  put "regions-$name" "$(regions "$user" "$password")"
  mark=@$(printf "%s" "$name" | tr '[:lower:]' '[:upper:]')@
  definitions=$(printf "%s\n" "$definitions" | sed "s/$mark/$password/")
done
put rabbitmq-definitions.json "$definitions"
mv "$new" "$dir"
echo "made $dir: keep it, and keep it out of version control" >&2
