#!/bin/sh
# Before the daemon starts: folders for volumes to be mounted in, and one bundle of the system's authorities and your own.
set -eu
state=${PREPARE_STATE:-/state}
system=${PREPARE_SYSTEM:-/etc/ssl/certs/ca-certificates.crt}
own=${PREPARE_OWN:-/etc/sonda-red}
bundle=${PREPARE_BUNDLE:-/trust/ca-certificates.crt}

# Made by the container runtime, they would be root's, and the daemon could not write beside them.
mkdir -p "$state/runc-overlayfs/snapshots/snapshots" "$state/runc-overlayfs/content"

cat "$system" >"$bundle"
for authority in "$own"/*.crt; do
  [ -f "$authority" ] || continue
  # A file may end without a newline.
  echo >>"$bundle"
  cat "$authority" >>"$bundle"
  echo "trusting ${authority##*/}"
done
chmod 0644 "$bundle"
