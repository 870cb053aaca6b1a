#!/bin/sh
# What each service may do: read all owners' topics in consumer groups of its own, and an owner writes its own topic.
# Making topics is the operator's. May be run again. Programs: of the folder KAFKA_HOME.
set -eu
: "${KAFKA_HOME:=/opt/kafka}" "${KAFKA:=localhost:19092}"
allow() {
  "$KAFKA_HOME/bin/kafka-acls.sh" --bootstrap-server "$KAFKA" --add --force "$@"
}
allow --allow-principal User:plans --allow-principal User:devices --allow-principal User:renewals \
  --allow-principal User:gateway --operation Read --topic billing. --resource-pattern-type prefixed
for service in plans devices renewals gateway; do
  allow --allow-principal "User:$service" --operation Read --group "$service-" --resource-pattern-type prefixed
done
for owner in plans devices renewals; do
  allow --allow-principal "User:$owner" --operation Write --topic "billing.$owner.v1"
done
