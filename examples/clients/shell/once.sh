# shellcheck shell=sh
# Runs a command once per tick: each position of a series is given to one call, whoever leads. Read by if-leader.sh for --once; copy it along.
# Needs gate.sh.
#
# The command gets LEADER_TOKEN, CLAIM_POSITION (with --at-least-once it may be an earlier one, which nobody has done: that one is done first) and
# CLAIM_ATTEMPT (how often it was given out). It is not killed, and should not take longer than the time between two ticks.
#
# SIGTERM: what is asked is heard to its end, for two seconds at most, and nothing more is asked, but once if the position may have been given by then. A
# command that runs is not told: it is waited for, and reported.

# quoted TEXT: in quotation marks, as for JSON and for a configuration of curl.
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }
# tell METHOD PATH MILLISECONDS: about claims, with the JSON in `body`. A question that waits is told 503 at the end of its time, and has to be before.
tell() {
  tell_path="$member/claims$2?uid=$POD_UID"
  case $3 in
  0) hear 1000 "$1" "$tell_path" ;;
  *) hear "$3" "$1" "$tell_path&wait=$(($3 * 8 / 10))ms" ;;
  esac
}
# Sets `claim_said` to given (with `given`, `token` and `attempt`), passed, perhaps (whoever waits may hear otherwise; with `reason`), refused, forbidden (a
# replica may not know the address of a new pod yet) or again, in `rest_ms` at the soonest.
judge() {
  claim_said=again rest_ms='' reason=''
  case $answer in
  *'"claimed":true'*=201)
    given=$(printf %s "$answer" | sed -n 's/.*"position":\([0-9]\{1,16\}\)[,}].*/\1/p')
    token=$(number token 14) attempt=$(number attempt 9)
    case $answer in *"\"series\":$series_json"[,}]*) ;; *) given='' ;; esac
    [ -n "$given" ] && [ -n "$token" ] && [ -n "$attempt" ] || return 0
    if [ "$given" -eq "$position" ] || { [ "$mode" = AtLeastOnce ] && [ "$given" -lt "$position" ]; }; then claim_said=given; fi
    ;;
  *'"claimed":false'*'"reason":"Passed"'*=409) claim_said=passed ;;
  *'"claimed":false'*'"reason":"Pending"'*=409) claim_said=perhaps reason=Pending ;;
  *'"claimed":false'*'"reason":"NotLeader"'*=409) claim_said=perhaps reason=NotLeader ;;
  # Its ticks should be positions of one series.
  *=400 | *'"reason":"TooManySeries"'*=429) claim_said=refused ;;
  *=40[13]) claim_said=forbidden ;;
  *=429) rest_ms=$(number retryAfterMilliseconds 4) ;;
  esac
}
# Up to half a second, then a second; half of it by chance: many may pause at the same moment.
draw_pause() {
  pause_ms=$((failures < 4 ? 50 << failures : 1000))
  pause_ms=$((pause_ms / 2 + $(od -An -N1 -tu1 /dev/urandom) * pause_ms / 512))
}
stopping=''
# claim: sets `claim_said` to given, passed, perhaps, refused, forbidden, stopped or unknown. It has an id of its own, which its retries keep.
claim() {
  claim_said=stopped reason=''
  # What nobody has asked for is nobody's loss.
  [ -z "$stopping" ] || return 0
  claim_id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  body="{\"series\":$(quoted "$series"),\"position\":$position,\"id\":\"$claim_id\",\"mode\":\"$mode\"${retry_s:+,\"retryAfterSeconds\":$retry_s}}"
  claim_ms=$(uptime_ms) waits='' failures=0
  wait_until_ms=$((claim_ms + wait_ms))
  while :; do
    turn_ms=$(uptime_ms) waited_ms=0
    left_ms=$((wait_until_ms - turn_ms))
    # Not longer: the replica that it waits at may have died with the leader.
    if [ -n "$waits" ] && [ "$left_ms" -gt 50 ]; then waited_ms=$((left_ms < 2000 ? left_ms : 2000)); fi
    tell POST '' "$waited_ms" || :
    judge
    turned_ms=$(uptime_ms)
    slow=''
    [ $((turned_ms - turn_ms)) -lt 300 ] || slow=1
    case $claim_said in
    given | passed | refused) return 0 ;;
    forbidden) [ $((turned_ms - claim_ms)) -lt "$patience_ms" ] || return 0 ;;
    perhaps) [ "$left_ms" -gt 50 ] || return 0 ;;
    esac
    if [ -n "$stopping" ]; then
      # One that has waited in vain may have been given the position all the same: it is put once more.
      case "$waited_ms $claim_said" in
      '0 '* | *perhaps) claim_said=stopped && return 0 ;;
      esac
      waits=''
      continue
    fi
    woken=''
    # 503: nobody leads, or a question that waits is at the end of its time.
    case "$claim_said ${slow:-${waits:-first}} $answer" in
    perhaps*) woken=1 ;;
    'again first '*=503) [ "$left_ms" -le 50 ] || woken=1 ;;
    'again 1 '*=503) [ -z "$slow" ] || [ "$left_ms" -le 50 ] || woken=1 ;;
    esac
    if [ -n "$woken" ] && { [ -n "$slow" ] || [ -z "$waits" ]; }; then
      waits=1 failures=0
      continue
    fi
    waits=$woken failures=$((failures + 1))
    draw_pause
    pause_ms=${rest_ms:-$pause_ms}
    if [ $((turned_ms + pause_ms)) -ge $((wait_until_ms + patience_ms)) ]; then
      [ "$claim_said" = forbidden ] || claim_said=unknown
      return 0
    fi
    sleep "$(seconds "$pause_ms")"
  done
}
# While it is being done, also by a command that takes long, it is not given out again. Ends with this script, also where that was killed. It was given
# no earlier than it was first asked for: the answer may be a late one, of which earlier ones got lost.
renew() {
  renewed_ms=$claim_ms
  while sleep 0.5 && kill -0 $$; do
    [ $(($(uptime_ms) - renewed_ms)) -ge $((retry_s * 1000 / 3)) ] || continue
    if tell PUT /renew 0; then renewed_ms=$(uptime_ms); fi
    case $answer in *=409) return ;; esac
  done >/dev/null 2>&1 </dev/null
}
# At least for as long as nobody else is given it.
report_done() {
  done_ms=$(uptime_ms) failures=0
  limit_ms=$((retry_s * 1000 / 3 > patience_ms ? retry_s * 1000 / 3 : patience_ms))
  while :; do
    tell PUT /done 0 || :
    case $answer in
    *=200) return ;;
    *=409)
      # A later one is given out only when this one is done: it was noted before, and the answer got lost.
      stands=$(printf %s "$answer" | sed -n 's/.*"position":\([0-9]\{1,16\}\)[,}].*/\1/p')
      [ "${stands:-0}" -le "$given" ] || return 0
      break
      ;;
    esac
    [ $(($(uptime_ms) - done_ms)) -lt "$limit_ms" ] || break
    failures=$((failures + 1))
    draw_pause
    sleep "$(seconds "$pause_ms")"
  done
  say "$series $given is done, but the gate has not noted it"
}

# standing MILLISECONDS: sets `stood` to the last position of the series that was given out; empty: none was. Ends this script where nobody says in so long.
standing() {
  standing_ms=$(uptime_ms) failures=0 body=''
  # Each byte by its number: a series may have any character.
  standing_path="$member/claims?uid=$POD_UID&series=$(printf %s "$series" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g')"
  while :; do
    hear 1000 GET "$standing_path" || :
    stood=$(number position 15)
    case "$stood $answer" in
    [1-9]*=200 | *'"position":null'*=200) return ;;
    *=400) end 64 "the gate does not take such a question: $(shown)" ;;
    esac
    failures=$((failures + 1))
    draw_pause
    if [ -n "$stopping" ] || [ $(($(uptime_ms) + pause_ms)) -ge $((standing_ms + $1)) ]; then
      # A replica may not know the address of a new pod yet.
      case $answer in *=40[13]) end 64 "the gate does not take such a question: $(shown)" ;; esac
      end 75 "nobody can say where $series stands: $(shown)"
    fi
    sleep "$(seconds "$pause_ms")"
  done
}

# once SERIES OPTION... COMMAND: ends this script.
once() {
  series=${1:-} position='' mode=AtMostOnce retry_s='' wait_ms='' patience_ms=2000 catch_up=''
  [ $# -eq 0 ] || shift
  while :; do
    case "${1:-} ${2:-}" in
    '-- '*) shift && break ;;
    --*) ;;
    *) break ;;
    esac
    case ${2:-} in '' | *[!0-9]*) end 64 "$1 needs a whole number" ;; esac
    case $1 in
    --position) position=$2 ;;
    --at-least-once) mode=AtLeastOnce retry_s=$2 ;;
    --wait) wait_ms=$(($2 * 1000)) ;;
    --catch-up) catch_up=$2 ;;
    *) end 64 "there is no option $1" ;;
    esac
    shift 2
  done
  # What a dead leader was at holds up all later ones until it is overdue.
  wait_ms=${wait_ms:-$((30000 + ${retry_s:-0} * 1000))}
  # They would end the line of a configuration.
  case $series in '' | *[[:cntrl:]]*) end 64 'the series must be text without control characters' ;; esac
  [ -n "$position" ] && [ $# -gt 0 ] || end 64 'if-leader.sh --once SERIES --position N [--at-least-once SECONDS] [--wait SECONDS] [--catch-up COUNT] -- COMMAND [ARGUMENT]...'
  series_json=$(without_blanks "$(quoted "$series")")
  trap 'stopping=1' TERM
  newest=$position failed=0
  if [ -n "$catch_up" ]; then
    standing $((wait_ms + patience_ms))
    # The first one that nobody has claimed: a later one would let it pass.
    stood=$((${stood:-$newest} < newest - catch_up - 1 ? newest - catch_up - 1 : ${stood:-$newest}))
    position=$((stood < newest && stood >= 0 ? stood + 1 : newest))
  fi
  while [ "$position" -le "$newest" ]; do
    settle "$@"
    position=$((position + 1))
  done
  exit "$failed"
}
# settle COMMAND: returns when the position is done, or another call's; with the command's status in `failed` if that is not 0.
settle() {
  while :; do
    claim
    case "$claim_said $reason" in
    given*) ;;
    passed*) return ;;
    'perhaps NotLeader')
      # Whoever has waited has seen nobody claim it.
      [ "$wait_ms" -eq 0 ] || end 75 "nobody has claimed position $position of $series: it was not done here, and perhaps nowhere"
      return
      ;;
    perhaps*) end 75 "an earlier position of $series than $position is neither done nor overdue: $position was not done" ;;
    stopped*) end 75 "told to stop before the gate said who is to do position $position of $series: it was not done here, and perhaps nowhere" ;;
    unknown*) end 75 "nobody can say who is to do position $position of $series: it was not done here, and perhaps nowhere: $(shown)" ;;
    *) end 64 "the gate does not take such a claim: $(shown)" ;;
    esac
    body="{\"series\":$(quoted "$series"),\"position\":$given,\"id\":\"$claim_id\"}"
    renewing='' status=0
    if [ "$mode" = AtLeastOnce ]; then
      renew &
      renewing=$!
    fi
    # By env, which knows no function of this script.
    env LEADER_TOKEN="$token" CLAIM_POSITION="$given" CLAIM_ATTEMPT="$attempt" "$@" || status=$?
    if [ -n "$renewing" ]; then
      kill "$renewing" 2>/dev/null || :
      # What has failed is given out again.
      [ "$status" -ne 0 ] || report_done
    fi
    # With --at-least-once it is given out again, before any later one.
    [ "$status" -eq 0 ] || [ "$mode" = AtMostOnce ] || exit "$status"
    [ "$status" -eq 0 ] || failed=$status
    [ "$given" -ne "$position" ] || return 0
    # It was an earlier one. What this was called for needs a claim of its own.
  done
}
