#!/bin/sh
# Cleans up after a test, however that test ended.
#
# It reads what to remove from a pipe that only the test holds open:
#   ns NAME         a network namespace, with every process in it
#   proc PID START  a process group, if the process PID still has that start time (/proc/PID/stat, field 22)
#   dir PATH        a folder of the test's own
#   owner FILE      the record by which a later run would find all this, should this script be killed too
# The pipe's end (the test closed it, or died, even by SIGKILL) is the signal to start.
trap '' INT TERM HUP QUIT PIPE
namespaces='' processes='' dirs='' owner=''
while read -r kind first second; do
  case $kind in
    ns) namespaces="$namespaces $first" ;;
    proc) processes="$processes $first:$second" ;;
    dir) dirs="$dirs $first" ;;
    owner) owner=$first ;;
  esac
done

# The start time is the 20th field after the command name, which may hold blanks and brackets itself.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

for entry in $processes; do
  pid=${entry%%:*}
  [ "$(start_time "$pid")" = "${entry#*:}" ] && kill -9 "-$pid" 2>/dev/null
done
# Until none is left: a process may fork between the list and the signal.
for name in $namespaces; do
  tries=0
  while pids=$(ip netns pids "$name" 2>/dev/null) && [ -n "$pids" ] && [ $tries -lt 100 ]; do
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null
    tries=$((tries + 1))
    sleep 0.02
  done
done
for name in $namespaces; do ip netns del "$name" 2>/dev/null; done
for dir in $dirs; do rm -rf -- "$dir" 2>/dev/null; done
[ -n "$owner" ] && rm -f -- "$owner"
exit 0
