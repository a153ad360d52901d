#!/bin/sh
# Runs a command only if this pod leads:  if-leader.sh send-the-report
# For what is short: a yes is good for two seconds at most. LEADER_TOKEN is set for the command; give it to whatever is acted on.
# Needs curl, and LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME (LEADERGROUP_GATE: default the operator's Service).
set -eu

base=${LEADERGROUP_GATE:-http://leadergroup.leadergroup-system.svc:8080}
url=$base/v1/namespaces/$POD_NAMESPACE/leadergroups/$LEADERGROUP_NAME/members/$POD_NAME

# The body, then the status on a line of its own. No answer within a second is no yes.
answer=$(curl --silent --max-time 1 --write-out '\n%{http_code}' "$url") || exit 0
case $answer in
*'
200') ;;
*) exit 0 ;;
esac
LEADER_TOKEN=$(printf '%s' "$answer" | sed -n 's/.*"token":\([0-9]*\).*/\1/p')
export LEADER_TOKEN
exec "$@"
