#!/bin/sh
# keep.sh PIDFILE LOGFILE COMMAND...: starts COMMAND again whenever it ends, waiting 1 s, then doubling to 30 s while it
# ends within a minute. Ends itself, leaving COMMAND alone, on SIGTERM. One shell of 1 MB instead of a supervisor of 40.
pidfile=$1 log=$2
shift 2
wait_s=1
trap 'exit 0' TERM INT
# In place and of one length, so that a full disk has room for it.
note() {
  printf '%-10s\n' "$1" 2>/dev/null 1<>"$pidfile"
}
while :; do
  began=$(date +%s)
  # A log that takes nothing more (a full disk) is no reason not to run.
  if { : >>"$log"; } 2>/dev/null; then "$@" >>"$log" 2>&1 </dev/null & else "$@" >/dev/null 2>&1 </dev/null & fi
  pid=$!
  # Where there was no room: again beside, as long as it is true. That one ends by itself: its number may be another's by then.
  if ! note "$pid"; then (while kill -0 "$pid" 2>/dev/null && ! note "$pid"; do sleep 1; done) & fi
  wait "$pid"
  code=$?
  # 78 (EX_CONFIG): starting again cannot help.
  [ "$code" = 78 ] && exit 78
  [ $(($(date +%s) - began)) -ge 60 ] && wait_s=1
  sleep "$wait_s" & wait $!
  wait_s=$((wait_s * 2)); [ "$wait_s" -gt 30 ] && wait_s=30
done
