#!/bin/sh
# Formats the log with its users the first time, then becomes the broker. A password that is changed later is told with
# kafka-configs.sh (deploy/README.md). Programs: of the folder KAFKA_HOME.
set -eu
: "${KAFKA_HOME:=/opt/kafka}" "${SECRETS:=/run/secrets}" "${PROPERTIES:=/etc/billing/server.properties}"
set --
for user in operator plans devices renewals gateway; do
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=$user,password=$(cat "$SECRETS/kafka_password_$user")]"
done
"$KAFKA_HOME/bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$PROPERTIES" "$@"
exec "$KAFKA_HOME/bin/kafka-server-start.sh" "$PROPERTIES"
