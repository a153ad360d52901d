#!/usr/bin/env bash
# Runs a command while this pod leads:  while-leader.sh ./worker
#
# Waits until this pod leads, runs the command with LEADER_TOKEN, and asks again in time. When the term is about to be over (another pod is to lead, or
# nobody answers) the command and its children get SIGTERM, and when the grant is over, within two seconds, SIGKILL; then this waits to lead again. Where
# the machine stood still the command may go on for a moment before it is killed: only whoever gets LEADER_TOKEN can refuse what comes too late.
#
# SIGTERM to this script: the same, and it ends. SIGUSR2 (from the command: kill -USR2 "$PPID"): the same, and another pod leads, if one can. A command
# that ends by itself ends this. In each case the term is released first, so that the next leader need not wait.
#
# With --once before the command it does not wait, and ends with the term: for a cron job that takes longer than a grant.
#
# Needs Linux, bash, curl, setsid, timeout, gate.sh beside it, and the variables that gate.sh lists. A command that makes a session of its own escapes.
#
# Exit status: that of the command; 143 after SIGTERM; 64 if this was called wrongly. With --once also 0 without having run it if the pod does not
# lead, 75 if nobody can say so, and 137 if the command was ended because the term was over.
set -eu
# shellcheck source=gate.sh
. "$(dirname "$0")/gate.sh"
once=''
if [ "${1:-}" = --once ]; then once=1 && shift; fi
[ $# -gt 0 ] || end 64 'no command: while-leader.sh [--once] COMMAND [ARGUMENT]...'

stopping='' resigning=''
trap 'stopping=1' TERM INT
trap 'resigning=1' USR2

least() { local low=$1 n; for n; do ((n < low)) && low=$n; done; echo "$low"; }
# In how many milliseconds the next question has to be asked, if not within $1.
due() { least "$1" $((within_ms ? asked_ms + within_ms - $(uptime_ms) : $1)); }
# In how many to ask again: in $1, or when the gate has said; but when the pod must be heard all the same.
again() {
  local rest=$((rest_until_ms - $(uptime_ms)))
  due $((rest > $1 ? rest : $1))
}
# pause MILLISECONDS [PID]: or until a signal comes, or the process ends.
pause() {
  local ms=$(($1 > 10 ? $1 : 10))
  sleep "$(seconds "$ms")" &
  wait -n $! ${2:-} 2>/dev/null || :
  kill $! 2>/dev/null || :
}
runs() { kill -0 "$work" 2>/dev/null; }
# Its whole group; before it has made one, itself.
signal_work() { kill "$1" -- "-$work" 2>/dev/null || kill "$1" "$work" 2>/dev/null || :; }
# Kills the command when its grant is over, also where this script was killed, or stands still: reads each new end of the grant.
watchdog() {
  local until=$1 line left status
  trap '' TERM INT USR2
  while :; do
    left=$((until - $(uptime_ms)))
    ((left > 0)) || break
    status=0
    read -r -t "$(seconds "$left")" line || status=$?
    # 1: nobody writes any more.
    if ((status == 0)); then until=$line; elif ((status == 1)); then sleep 0.05; fi
    runs || return 0
  done
  signal_work -KILL
}

# end_term [resign]: releases it, beside whatever is asked next. While nobody answers the release the pod must be heard all the same, or it would be taken
# for one that hangs; so it is waited for only for a moment, and at the end of this script once more.
releasing=''
end_term() {
  [[ -z $releasing ]] || exec {releasing}<&-
  exec {releasing}< <(trap '' TERM INT USR2 && release "$@" && echo "$warned")
  released 0.25
}
# released SECONDS: the release has been heard, or the time is over. What it has warned of it need not say again.
released() {
  local said
  [[ -z $releasing ]] || ! read -r -t "$1" -u "$releasing" said || warned=$said
}

lead() {
  local term_token=$token term_until_ms=$until_ms status=0 stopped='' killed='' left_ms
  LEADER_TOKEN=$token setsid "$@" &
  work=$!
  exec {to_watchdog}> >(watchdog "$until_ms")
  while runs && [[ -z $stopping$resigning ]]; do
    left_ms=$((term_until_ms - $(uptime_ms)))
    pause "$(again "$(least $((left_ms / 3)) 500)")" "$work"
    runs && [[ -z $stopping$resigning ]] || break
    # So much notice before the end of a grant that is not renewed.
    left_ms=$((term_until_ms - $(uptime_ms) - 250))
    ((left_ms > 50)) || break
    ask "$(least 1000 "$left_ms")"
    case $said in
    unknown | no) ;;
    grant)
      # An answer that comes when the time is over begins a new term, not this one once more.
      ((token == term_token && $(uptime_ms) < term_until_ms)) || break
      # A shorter grant takes nothing back of the one before it.
      ((until_ms <= term_until_ms)) || term_until_ms=$until_ms
      echo "$term_until_ms" >&"$to_watchdog"
      ;;
    *) break ;;
    esac
  done
  if runs; then stopped=1 && signal_work -TERM; fi
  while runs && (($(uptime_ms) < term_until_ms)); do pause $((term_until_ms - $(uptime_ms))) "$work"; done
  if runs; then killed=1; fi
  # What it has left behind, too.
  kill -KILL -- "-$work" 2>/dev/null || :
  wait "$work" || status=$?
  # If not by the watchdog, then by itself.
  (($(uptime_ms) < term_until_ms)) || stopped=1
  exec {to_watchdog}>&-
  # One that was killed had no time left, and what it has begun may go on.
  ended_ms=$(uptime_ms)
  if [[ -z $killed ]]; then end_term ${resigning:+resign}; fi
  draw_secret
  resigning=''
  [[ -n $stopped ]] || exit "$status"
}

# As in gate.sh, but no longer than until SIGTERM comes.
wait_for() {
  local answers
  got=''
  exec {answers}< <(exec 2>/dev/null && line "$@")
  wait $! || :
  [[ -n $stopping ]] || read -r got <&"$answers" || :
  exec {answers}<&-
}
# Returns when there may be news for whoever knows this token, or something went wrong.
news() {
  local begun wait_ms
  while [[ -z $stopping ]]; do
    begun=$(uptime_ms) asked_ms=$(uptime_ms)
    # Not longer: the replica that it waits for may have died with the leader. With a leader probe this pod must be heard again in time.
    wait_ms=$(least 2000 "${within_ms:-2000}")
    said=unknown
    if ! hear "$wait_ms" GET "$member?uid=$POD_UID&wait=$((wait_ms * 8 / 10))ms&token=$token"; then
      case $answer in *=429) rest ;; esac
      return 0
    fi
    # A grant that was waited for is over: it says that it is worth asking.
    understand
    [[ $said == no ]] && (($(uptime_ms) - begun >= 300)) || return 0
  done
}

# Says once if the gate does not know that it is this pod that asks; a new pod may be known after some seconds.
{
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    introduce && exit 0
    sleep 1
  done
  case $answer in *=000) ;; *) say "the gate does not know that it is this pod that asks: $(shown)" ;; esac
} &
introduction=$!
trap 'released 2; kill "$introduction" 2>/dev/null || :' EXIT

if [[ -n $once ]]; then
  ask
  case $said in
  grant) lead "$@" ;;
  unknown) end 75 "nobody can say whether $POD_NAME leads $LEADERGROUP_NAME: $(shown)" ;;
  *) exit 0 ;;
  esac
  [[ -z $stopping ]] || exit 143
  end 137 'the command was ended because the term was over'
fi
failures=0
while [[ -z $stopping ]]; do
  turn_ms=$(uptime_ms) resigning=''
  ask
  asked=$said
  case $said in
  grant) lead "$@" ;;
  no) news ;;
  released) draw_secret ;;
  esac
  if [[ $asked == grant ]]; then
    failures=0
    # Of which the release has taken some.
    [[ -n $stopping ]] || pause "$(again $((500 - ($(uptime_ms) - ended_ms))))"
  elif [[ $asked == no ]] && (($(uptime_ms) - turn_ms >= 300)); then
    failures=0
  else
    failures=$((failures < 5 ? failures + 1 : 5))
    # 0.1 s, twice as long each time, a second at most; half of it by chance: many may pause at the same moment.
    longest=$(least $((50 << failures)) 1000)
    [[ -n $stopping ]] || pause "$(again $((longest / 2 + RANDOM % (longest / 2))))"
  fi
done
exit 143
