#!/bin/sh
# The system's authorities and those of the ConfigMap `sonda-red`, if there is one, in one bundle for the daemon's container.
set -eu
system=${TRUST_SYSTEM:-/etc/ssl/certs/ca-certificates.crt}
own=${TRUST_OWN:-/etc/sonda-red}
bundle=${TRUST_BUNDLE:-/trust/ca-certificates.crt}

cat "$system" >"$bundle"
for authority in "$own"/*.crt; do
  [ -f "$authority" ] || continue
  # A file may end without a newline.
  echo >>"$bundle"
  cat "$authority" >>"$bundle"
  echo "trusting ${authority##*/}"
done
chmod 0644 "$bundle"
