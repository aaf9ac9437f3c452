#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
#
# Variant c: rotate the tokens of many groups with the AWS CLI.
#
#   rotate_with_cli.sh 16 groups.txt     that many groups at a time, from a file with a region and an id a line
#
# Tokens reach the CLI through a pipe (file:///dev/fd/N), and are in no list of processes. No node is asked what it accepts,
# nothing is written down, and other keys of a secret are lost. `wait` looks every 15 seconds, which can't be changed.
set -euo pipefail

rotate() {
    local group=$1 name="elasticache/$1/auth-token" token old new
    token=$(openssl rand -hex 32)
    old=$(aws secretsmanager get-secret-value --secret-id "$name" --query VersionId --output text)
    new=$(aws secretsmanager put-secret-value --secret-id "$name" --version-stages AWSPENDING \
        --secret-string file://<(printf '{"auth_token": "%s"}' "$token") --query VersionId --output text)
    modify "$group" ROTATE "$token"
    aws secretsmanager update-secret-version-stage --secret-id "$name" --version-stage AWSCURRENT \
        --move-to-version-id "$new" --remove-from-version-id "$old" >/dev/null
    modify "$group" SET "$token"
}

modify() {
    aws elasticache modify-replication-group --replication-group-id "$1" --apply-immediately \
        --auth-token-update-strategy "$2" --auth-token file://<(printf %s "$3") >/dev/null
    aws elasticache wait replication-group-available --replication-group-id "$1"
}

if [[ ${1:-} == --one ]]; then
    export AWS_REGION=$2 AWS_DEFAULT_REGION=$2 # version 1 of the CLI looks at the latter
    rotate "$3"
else
    xargs -P "$1" -n 2 -- bash "$0" --one <"$2"
fi
