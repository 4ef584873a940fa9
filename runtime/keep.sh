#!/bin/sh
# keep.sh PIDFILE LOGFILE COMMAND...: starts COMMAND again whenever it ends, waiting 1 s, then doubling to 30 s while it
# ends within a minute. Ends itself, leaving COMMAND alone, on SIGTERM. One shell of 1 MB instead of a supervisor of 40.
pidfile=$1 log=$2
shift 2
wait_s=1
trap 'exit 0' TERM INT
while :; do
  began=$(date +%s)
  "$@" >>"$log" 2>&1 </dev/null &
  echo $! >"$pidfile.new" && mv "$pidfile.new" "$pidfile"
  wait $!
  code=$?
  # 78 (EX_CONFIG): starting again cannot help.
  [ "$code" = 78 ] && exit 78
  [ $(($(date +%s) - began)) -ge 60 ] && wait_s=1
  sleep "$wait_s" & wait $!
  wait_s=$((wait_s * 2)); [ "$wait_s" -gt 30 ] && wait_s=30
done
