#!/bin/sh
# hold.sh COMMAND...: keeps the sockets of names (3: UDP, 4: TCP) open for the runtime, which answers on them and says on standard
# input, a line each second, that it lives. When that ends (the runtime did), or is silent for long (it hangs), COMMAND answers on
# the same sockets: what was asked meanwhile waits in them. Shells of 1 MB instead of a Node of 38.
# In braces, so that it is read as a whole: an upgrade may replace this file.
{
main=$$
# Again whenever it fails; it ends well when it was told to leave.
answer() {
  while ! "$@" </dev/null; do sleep 1 3>&- 4>&-; done
}
(
  heard=1
  # Of all signals one that harms nobody who does not listen yet.
  trap 'heard=1' CONT
  while [ -n "$heard" ]; do
    heard=
    sleep 3 >/dev/null 2>&1 3>&- 4>&-
  done
  kill -TERM "$main" 2>/dev/null
  answer "$@"
) </dev/null &
watcher=$!
while read -r _; do kill -CONT "$watcher" 2>/dev/null; done
# From here on the other one cannot end this one, and this one ends it.
trap '' TERM
kill -KILL "$watcher" 2>/dev/null
trap - TERM
answer "$@"
exit
}
