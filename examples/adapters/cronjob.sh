#!/bin/sh
# In a pod of a CronJob: runs a command once per tick of its schedule.  cronjob.sh SERIES COMMAND [ARGUMENT]...
#
# The tick is in the name of the Job, which ends in the minutes since 1970 for which the CronJob scheduled it. JOB_NAME: the label
# batch.kubernetes.io/job-name of the pod, by the downward API (cronjob.yaml). A Job that somebody has created by hand has no tick: it is refused,
# also where its name ends in the seconds of its creation, or in a date. Taken for a minute they would be far ahead, and each real tick would have passed.
# Copy this file into the folder of the shell client.
set -eu
series=$1
shift
tick=${JOB_NAME##*-}
case $tick in
*[!0-9]* | 0* | ?????????*) tick='' ;;
esac
now=$(($(date -u +%s) / 60))
# Not later than in a day, and not longer ago than ten years.
if [ "${tick:-0}" -lt $((now - 5256000)) ] || [ "$tick" -gt $((now + 1440)) ]; then
  echo "cronjob.sh: JOB_NAME is '$JOB_NAME', which does not end in the minute of a schedule" >&2
  exit 64
fi
exec "${LEADERGROUP_CLIENT:-$(dirname "$0")}/if-leader.sh" --once "$series" --position "$tick" --wait 60 -- "$@"
