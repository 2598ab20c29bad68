#!/bin/sh
# preStop hook: hold while builds run on this replica, as any of the gateways knows it, so that SIGTERM meets an idle daemon.
#
# Needs POSIX sh, timeout and wget, busybox's or GNU's. All times are in seconds:
#   DRAIN_SETTLE   before the first question: until then gateways may place a build here, since they learn of the end too
#   DRAIN_ASK      how long one question waits; a gateway that vanished is noticed 5 s after it
#   DRAIN_GIVE_UP  without an answer from any gateway
#   DRAIN_UNKNOWN  of answers that do not know this replica
#   DRAIN_MAX      altogether; with DRAIN_ASK + 5 it belongs under terminationGracePeriodSeconds
set -u
replica=${POD_NAME:-$(hostname)}
gateway=${DRAIN_GATEWAY:-http://buildkit.buildkit.svc.cluster.local:6060}
settle=${DRAIN_SETTLE:-5}
ask=${DRAIN_ASK:-10}
give_up=${DRAIN_GIVE_UP:-30}
unknown=${DRAIN_UNKNOWN:-10}
max=${DRAIN_MAX:-3600}
# A hook's own output is lost: process 1's goes to the pod's log.
log=${DRAIN_LOG:-/proc/1/fd/2}

say() {
  { echo "preStop $replica: $*" >>"$log"; } 2>/dev/null || :
}

now() {
  date +%s
}

# The status of one answer; nothing where there is none. Both wgets show the status line with -S, in their own words.
# sed does not read on: busybox's timeout leaves the pipe open for up to a second more. Not every busybox has `wget -T`.
status() {
  timeout $((ask + 5)) wget -S -t 1 -O /dev/null "$gateway/drain/$replica?wait=${ask}s" 2>&1 |
    sed -n '/HTTP\/1/{s|.*HTTP/1\.[01] \([0-9][0-9][0-9]\).*|\1|p;q;}'
}

started=$(now)
say "waiting until no build runs here (at most $max s)"
sleep "$settle"
heard=$(now)
known=$heard
while [ $(($(now) - started)) -lt "$max" ]; do
  answer=$(status)
  at=$(now)
  case $answer in
    200)
      say "idle after $((at - started)) s"
      exit 0
      ;;
    408)
      # It waited already.
      heard=$at
      known=$at
      continue
      ;;
    '') ;;
    4*) heard=$at ;;
    *)
      heard=$at
      known=$at
      ;;
  esac
  if [ $((at - heard)) -ge "$give_up" ]; then
    say "no gateway has answered for $((at - heard)) s: giving up"
    exit 0
  fi
  if [ -n "$answer" ] && [ $((at - known)) -ge "$unknown" ]; then
    say "the gateways do not know this replica (status $answer): giving up"
    exit 0
  fi
  sleep 1
done
say "builds still run after $max s: giving up"
