#!/bin/sh
# Runs a command only if this pod leads:  if-leader.sh send-the-report
#
# A grant is good for two seconds at most, and the command is killed with -9 when it is over, wherever it stands: this is for what is
# short. LEADER_TOKEN is set for the command; give it to whatever is acted on, which alone can refuse what was already on its way, or
# what is sent late because the machine stood still. For work that takes longer use while-leader.sh, or a client that asks again.
#
# For what is to be done once per tick of a cron that runs in every replica:
#
#   if-leader.sh --once daily-report --position "$(($(date -u +%s) / 60))" [--at-least-once SECONDS] [--wait SECONDS] [--catch-up COUNT] -- send-the-report
#
# Each position of the series is given to one call, whoever leads, also where the tick falls into a handover: whoever does not lead waits for 30 seconds,
# with --at-least-once for its seconds more, unless told otherwise. The position is the minute in which cron has begun this, by the clock by which it did so; the second of the call would
# differ from replica to replica. With --at-least-once a position is given out again when it was neither done nor renewed for so many seconds: until
# the command has ended with status 0. With --catch-up the positions of the series rise by one with each tick, and up to so many before this one, which nobody has
# claimed because the container was started again, are done first. once.sh says what the command gets. Status 0 without having run it: it was given out; 75: nobody can say, or
# nobody has claimed it.
#
# `if-leader.sh --standing SERIES` says the last position of a series that was given out; nothing: none was; 75: nobody can say.
#
# Needs Linux, curl, timeout, gate.sh beside it, with those also once.sh, and the variables that gate.sh lists. With `if-leader.sh --self` in place of a command it says
# whether the gate knows that it is this pod that asks. GNU's timeout ends the command's children with it; that of busybox does not, and counts
# whole seconds: the rest of a grant is rounded down to them, so that one of less than a second runs nothing.
#
# Exit status: that of the command; 0 without having run it if the pod does not lead; 75 if nobody can say so, or the grant ran out before
# the command began; 137 if the command was killed; 64 if this was called wrongly; 125 to 127 if the command cannot be run.
set -eu
# shellcheck source=gate.sh
. "$(dirname "$0")/gate.sh"
[ $# -gt 0 ] || end 64 'no command: if-leader.sh COMMAND [ARGUMENT]...'

if [ "$1" = --self ]; then
  introduce && exit 0
  line_of "${text%=*}"
  end 75 "the gate does not know that it is this pod that asks: ${text##*=}"
fi
if [ "$1" = --once ]; then
  # shellcheck source=once.sh
  . "$(dirname "$0")/once.sh"
  shift
  once "$@"
fi
if [ "$1" = --standing ]; then
  # shellcheck source=once.sh
  . "$(dirname "$0")/once.sh"
  series=${2:-}
  [ -n "$series" ] || end 64 'no series: if-leader.sh --standing SERIES'
  standing 2000
  [ -z "$stood" ] || line_of "$stood"
  exit 0
fi
ask
case $said in
grant) ;;
unknown) end 75 "nobody can say whether $POD_NAME leads $LEADERGROUP_NAME: $(shown)" ;;
*) exit 0 ;;
esac
left_ms=$(((until_ms - $(uptime_ms)) / step_ms * step_ms))
[ "$left_ms" -gt 0 ] || end 75 'the grant ran out before the command began'
export LEADER_TOKEN="$token"
if [ "$step_ms" -eq 1000 ]; then limit=$((left_ms / 1000)); else limit=$(seconds "$left_ms"); fi
# Not by exec: as process 1 of a container the command could not be killed from inside.
status=0
timeout -s KILL "$limit" "$@" || status=$?
# One that was killed had no time left, and what it has begun may go on.
[ "$status" -ge 124 ] || release
exit "$status"
