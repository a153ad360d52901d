#!/bin/sh
# Runs a command only if this pod leads:  if-leader.sh send-the-report
#
# A grant is good for two seconds at most, and the command is killed with -9 when it is over, wherever it stands: this is for what is
# short. LEADER_TOKEN is set for the command; give it to whatever is acted on, which alone can refuse what was already on its way, or
# what is sent late because the machine stood still. For work that takes longer use a client that asks again.
#
# Needs Linux, curl and timeout, and LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME and POD_UID (LEADERGROUP_GATE: default the operator's
# Service; LEADERGROUP_TOKEN_FILE: a ServiceAccount token of audience leadergroup, for an operator that asks for one; with `if-leader.sh --self` in place of a
# command it says whether the gate knows that it is this pod that asks). GNU's timeout ends the command's children with it; that of busybox does not, and counts whole seconds: the rest of a grant
# is rounded down to them, so that one of less than a second runs nothing.
#
# Exit status: that of the command; 0 without having run it if the pod does not lead; 75 if nobody can say so, or the grant ran out before
# the command began; 137 if the command was killed; 64 if this was called wrongly; 125 to 127 if the command cannot be run.
set -eu

end() {
  echo "if-leader.sh: $2" >&2
  exit "$1"
}
need() { [ -n "$2" ] || end 64 "$1 is not set: give it in the pod's manifest (POD_* by the downward API: metadata.namespace, .name, .uid)"; }
need LEADERGROUP_NAME "${LEADERGROUP_NAME:-}"
need POD_NAMESPACE "${POD_NAMESPACE:-}"
need POD_NAME "${POD_NAME:-}"
need POD_UID "${POD_UID:-}"
[ $# -gt 0 ] || end 64 'no command: if-leader.sh COMMAND [ARGUMENT]...'
# Milliseconds, in steps of ten, by a clock that goes on while the machine is suspended and that nobody sets.
uptime_ms() {
  read -r up _ </proc/uptime
  echo $((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}
# A number of at most $2 digits.
number() { printf %s "$answer" | sed -n "s/.*\"$1\":\\([1-9][0-9]\\{0,$2\\}\\)[,}].*/\\1/p"; }
if timeout --version >/dev/null 2>&1; then step_ms=10; else step_ms=1000; fi

base=${LEADERGROUP_GATE:-http://leadergroup.leadergroup-system.svc:8080}
url="$base/v1/namespaces/$POD_NAMESPACE/leadergroups/$LEADERGROUP_NAME/members/$POD_NAME?uid=$POD_UID"
# The token, if there is one, in a form that no list of processes shows.
token() { [ -r "${LEADERGROUP_TOKEN_FILE:-}" ] && printf 'header = "Authorization: Bearer %s"\n' "$(cat "$LEADERGROUP_TOKEN_FILE")" || :; }
if [ "$1" = --self ]; then
  token | curl --config - --silent --show-error --max-time 1 --fail-with-body "$base/v1/self?uid=$POD_UID" || end 75 'the gate does not know that it is this pod that asks'
  exit 0
fi
# Of this term, so that nobody waits for its grant once the command has ended.
secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
# Before the question: the answer may have been on its way for as long as it took.
asked_ms=$(uptime_ms)
# The body, then the status. No answer within a second is no grant.
answer=$(token | curl --config - --silent --max-time 1 --write-out '=%{http_code}' --header "LeaderGroup-Client: $secret" "$url") || answer=
answer=$(printf %s "$answer" | tr -d ' \t\r\n')
case $answer in
*'"leader":true'*"\"uid\":\"$POD_UID\""*=200) ;;
*=409) exit 0 ;;
*) end 75 "nobody can say whether $POD_NAME leads $LEADERGROUP_NAME: ${answer:-no answer}" ;;
esac
LEADER_TOKEN=$(number token 14)
valid_ms=$(number validForMilliseconds 3)
[ -n "$LEADER_TOKEN" ] && [ "${valid_ms:-9999}" -le 2000 ] || end 75 "this is no answer of the gate: $answer"
# Ten more have passed, perhaps: the clock's last step.
left_ms=$(((valid_ms - ($(uptime_ms) - asked_ms) - 10) / step_ms * step_ms))
[ "$left_ms" -gt 0 ] || end 75 'the grant ran out before the command began'
export LEADER_TOKEN
limit=$((left_ms / 1000))
[ "$step_ms" -eq 1000 ] || limit=$(printf '%d.%03d' "$limit" $((left_ms % 1000)))
# Not by exec: as process 1 of a container the command could not be killed from inside.
status=0
timeout -s KILL "$limit" "$@" || status=$?
# One that was killed had no time left, and what it has begun may go on.
[ "$status" -ge 124 ] || token | curl --config - --silent --max-time 1 --output /dev/null --request POST \
  --header "LeaderGroup-Client: $secret" "${url%%\?*}/release?uid=$POD_UID" || :
exit "$status"
