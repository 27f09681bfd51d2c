#!/bin/sh
# Ends what a process has started, should that process die without doing so: of SIGKILL, say.
# It reads `group <id>`, `ended <id>` and `folder <path>` from the process, and acts at the end of its input.
trap '' INT TERM HUP
newline='
'
groups= folders=
while read -r verb value; do
  case $verb in
    group) groups="$groups $value" ;;
    ended)
      kept=
      for group in $groups; do [ "$group" = "$value" ] || kept="$kept $group"; done
      groups=$kept
      ;;
    folder) folders="$folders$value$newline" ;;
  esac
done

alive() {
  for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && return 0; done
  return 1
}
for group in $groups; do
  kill -s TERM -- "-$group" 2>/dev/null
  kill -s CONT -- "-$group" 2>/dev/null
done
tries=0
while alive && [ "$tries" -lt 50 ]; do
  sleep 0.2
  tries=$((tries + 1))
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done

IFS=$newline
set -f
for folder in $folders; do rm -rf -- "$folder"; done
