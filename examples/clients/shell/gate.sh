# shellcheck shell=sh
# Questions to the gate, for if-leader.sh and while-leader.sh, which read this file: copy it along. Needs Linux and curl.
#
# LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME, POD_UID. LEADERGROUP_GATE: URLs of the operator's replicas, with commas between them; each address
# behind the name of an http URL is a replica (where there is getent); default: the operator's headless Service. LEADERGROUP_TOKEN_FILE: a
# ServiceAccount token of audience leadergroup, for an operator that asks for one.

name=${0##*/}
# Not by echo, of which some read a backslash.
line_of() { printf '%s\n' "$*"; }
say() { line_of "$name: $1" >&2; }
end() {
  say "$2"
  exit "$1"
}
need() { [ -n "$2" ] || end 64 "$1 is not set: give it in the pod's manifest (POD_* by the downward API: metadata.namespace, .name, .uid)"; }
need LEADERGROUP_NAME "${LEADERGROUP_NAME:-}"
need POD_NAMESPACE "${POD_NAMESPACE:-}"
need POD_NAME "${POD_NAME:-}"
need POD_UID "${POD_UID:-}"

gates=${LEADERGROUP_GATE:-http://leadergroup-replicas.leadergroup-system.svc:8080}
member="/v1/namespaces/$POD_NAMESPACE/leadergroups/$LEADERGROUP_NAME/members/$POD_NAME"
# Of a term, drawn for it alone, and after any fork: a late copy of its release must not end the next one.
draw_secret() { secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n'); }
draw_secret

# Milliseconds, in steps of ten, by a clock that goes on while the machine is suspended and that nobody sets.
uptime_ms() {
  read -r up _ </proc/uptime
  echo $((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }
# A number of at most $2 digits and one.
number() { printf %s "$answer" | sed -n "s/.*\"$1\":\\([1-9][0-9]\\{0,$2\\}\\)[,}].*/\\1/p"; }
# busybox counts whole seconds.
if timeout --version >/dev/null 2>&1; then step_ms=10 look_s=0.3; else step_ms=1000 look_s=1; fi

# All replicas, as URL|ADDRESS. One family behind a name: a replica may have an address of each.
find_replicas() {
  for url in $(echo "$gates" | tr , ' '); do
    host=${url#http://} found=''
    case $url in
    https:* | *'['*) ;;
    *) found=$(timeout $look_s getent ahosts "${host%%[:/]*}" 2>/dev/null | sed 's/[[:space:]].*//' | sort -u) || found='' ;;
    esac
    [ -n "$found" ] || echo "${url%/}|"
    case $found in *.*.*.*) family='*.*.*.*' ;; *) family='*:*' ;; esac
    for address in $found; do
      # shellcheck disable=SC2254
      case $address in
      $family) case $address in *:*) echo "${url%/}|[$address]" ;; *) echo "${url%/}|$address" ;; esac ;;
      esac
    done
  done | sort -u
}

# JSON to send along; empty: none.
body=''
# The header lines, in a form that no list of processes shows. The token is read each time: the kubelet renews the file.
headers() {
  [ -z "$body" ] || printf 'header = "Content-Type: application/json"\ndata = "%s"\n' "$(printf %s "$body" | sed 's/[\\"]/\\&/g')"
  printf 'header = "LeaderGroup-Client: %s"\n' "$secret"
  [ -r "${LEADERGROUP_TOKEN_FILE:-}" ] && printf 'header = "Authorization: Bearer %s"\n' "$(cat "$LEADERGROUP_TOKEN_FILE")" || :
}
# exchange REPLICA SECONDS METHOD PATH: the body, then the status; 000: no answer. No proxy: the gate knows this pod by its address.
exchange() {
  address=${1##*|}
  raw=$(headers | curl --config - --silent --noproxy '*' --max-time "$2" --write-out '=%{http_code}' --request "$3" \
    ${address:+--connect-to "::$address:"} "${1%|*}$4") || raw='=000'
  printf %s "$raw" | tr -d '\r\n'
}
# Whether an answer is one to what was asked by METHOD PATH. 404 and 405 to a release are an older replica's, which does not know them.
good() {
  case $2 in "$member/claims"*)
    case $3 in *=20[01] | *=400 | *=409 | *=429) return 0 ;; *) return 1 ;; esac
    ;;
  esac
  case "$1 $2 $3" in
  'POST '*=000 | 'POST '*=5?? | 'POST '*=404 | 'POST '*=405) false ;;
  'POST '* | 'GET /v1/self'*=200) ;;
  'GET /v1/self'*) false ;;
  *'"leader":true'*"\"uid\":\"$POD_UID\""*=200 | *=409) ;;
  *) false ;;
  esac
}
without_blanks() { printf %s "$1" | tr -d ' \t'; }
# line SECONDS METHOD PATH REPLICA...: one after the other, until one has a good answer.
line() {
  seconds=$1 method=$2 path=$3
  shift 3
  for replica; do
    answer=$(exchange "$replica" "$seconds" "$method" "$path") || :
    if good "$method" "$path" "$(without_blanks "$answer")"; then
      line_of "+$replica $answer"
      return
    fi
    line_of "-$replica $answer"
  done
}
# Of the lines that come the first good one; else the last.
first_good() {
  last=''
  while read -r got; do
    case $got in
    +*)
      line_of "$got"
      return
      ;;
    -*) last=$got ;;
    esac
  done
  line_of "$last"
}
# wait_for SECONDS METHOD PATH REPLICA: sets `got` to what is said to a question that waits.
wait_for() { got=$(line "$@"); }
replicas='' replicas_ms=0 first='' only_until_ms=0
# hear MILLISECONDS METHOD PATH: sets `answer`, without blanks, and `text`; fails without a good one. A replica has 150 ms, then another one is asked at the same time; after a bad
# answer the next one is, too. None is asked twice at once: where only one address is known its question is given up before it is put again, by
# a new connection, for behind the address of a Service another replica may answer. One that waits for news is asked of one replica alone.
hear() {
  begun_ms=$(uptime_ms)
  if [ -z "$replicas" ] || [ $((begun_ms - replicas_ms)) -gt 30000 ]; then
    replicas=$(find_replicas) replicas_ms=$begun_ms
    # At first any of them.
    [ -n "$first" ] || first=$(echo "$replicas" | sed -n "$((0x${secret%"${secret#????}"} % $(echo "$replicas" | wc -l) + 1))p")
  fi
  hear_ms=$1 hear_method=$2 hear_path=$3 hear_s=$(seconds "$1")
  # Whoever has answered well first; alone, while another may still be answering.
  others=$(echo "$replicas" | grep -Fxv -- "${first:--}") || others=''
  case "
$replicas
" in *"
$first
"*) set -- "$first" ;; *) set -- ;; esac
  # shellcheck disable=SC2086
  [ $# -gt 0 ] && [ "$begun_ms" -lt "$only_until_ms" ] || set -- "$@" $others
  asked_first=$1 asked_second=${2:-$1} one='' other=''
  case "$# $hear_path" in
  *'&wait='*) wait_for "$hear_s" "$hear_method" "$hear_path" "$1" ;;
  '1 '*)
    # Where only one is known, not where another may still be answering.
    [ "$hear_ms" -lt 200 ] || [ -n "$others" ] || hear_s=0.15
    got=$(line "$hear_s" "$hear_method" "$hear_path" "$1")
    case "$hear_s $got" in
    '0.15 '*=000)
      hear_ms=$((hear_ms - ($(uptime_ms) - begun_ms)))
      [ "$hear_ms" -lt 50 ] || got=$(line "$(seconds "$hear_ms")" "$hear_method" "$hear_path" "$1")
      ;;
    esac
    ;;
  *)
    while [ $# -gt 0 ]; do
      one="$one $1" other="$other ${2:-}"
      shift
      [ $# -eq 0 ] || shift
    done
    # The one that sleeps ends when nobody reads any more.
    # shellcheck disable=SC2086
    got=$({
      line "$hear_s" "$hear_method" "$hear_path" $one &
      { sleep 0.15 && echo && line "$hear_s" "$hear_method" "$hear_path" $other; } &
    } 2>/dev/null | first_good)
    ;;
  esac
  text=${got#* } got_from=${got%% *}
  answer=$(without_blanks "$text")
  case $got in
  +*)
    first=${got_from#+}
    [ $(($(uptime_ms) - begun_ms)) -lt 140 ] || only_until_ms=$((begun_ms + 1100))
    # Who did not answer may be gone.
    [ "$first" = "$asked_first" ] || replicas_ms=-30000
    ;;
  *)
    # Another one first.
    first=$asked_second only_until_ms=0 replicas_ms=-30000
    return 1
    ;;
  esac
}
warned=''
# Each thing once.
warn() {
  case $warned in *"${1%%:*}"*) return ;; esac
  warned="$warned ${1%%:*}"
  say "$1"
}

# The last answer, for people.
shown() { line_of "${text##*=} ${text%=*}"; }
# ask [MILLISECONDS]. Sets `said` to grant (with `token` and `until_ms`), no (with `token`), revoking, released, or unknown; and `within_ms`, in which to ask again.
within_ms='' rest_until_ms=0
# The gate has said that asking again sooner brings nothing.
rest() {
  rest_ms=$(number retryAfterMilliseconds 4)
  rest_until_ms=$(($(uptime_ms) + ${rest_ms:-0}))
}
ask() {
  # Before the question: the answer may have been on its way for as long as it took. Ten more may have passed: the clock's last step.
  asked_ms=$(uptime_ms)
  said=unknown
  if ! hear "${1:-1000}" GET "$member?uid=$POD_UID"; then
    case $answer in *=40[13]) warn "the gate refuses: $(shown)" ;; *=429) rest ;; esac
    return 0
  fi
  understand
  [ "$said" != grant ] || [ "$(uptime_ms)" -lt "$until_ms" ] || said=unknown
}
understand() {
  within_ms=$(number askWithinMilliseconds 4) token=$(number token 14)
  rest
  case $answer in
  *'"reason":"Revoking"'*=409) said=revoking ;;
  *'"reason":"Released"'*=409) said=released ;;
  *=409) said=no token=${token:-0} ;;
  *)
    valid_ms=$(number validForMilliseconds 3)
    until_ms=$((asked_ms + ${valid_ms:-9999} - 10))
    [ -z "$token" ] || [ "${valid_ms:-9999}" -gt 2000 ] || said=grant
    ;;
  esac
}
# release [resign]: nobody needs to wait for the grants of this term any more. If nobody hears it, they run out.
release() {
  release_path="$member/release?uid=$POD_UID${1:+&resign=true}"
  hear 1000 POST "$release_path" || hear 1000 POST "$release_path" || :
  case $answer in *=403) warn "the gate takes no release of this pod: $(shown)" ;; esac
  draw_secret
}
# introduce: whether the gate knows that it is this pod that asks.
introduce() { hear 1000 GET "/v1/self?uid=$POD_UID"; }
