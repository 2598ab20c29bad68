import { SYSTEM_BUNDLES } from "./system-roots.ts";

/** What a wrapper gives to build steps. */
export interface WrapperOptions {
  /** The bundle, as the daemon sees it. */
  readonly bundle: string;
  /** The runtime behind it. Absent: `buildkit-runc`, else `runc`, as buildkitd itself looks. */
  readonly runc?: string;
  /** Where steps look for a bundle. Default {@link STEP_BUNDLES}. */
  readonly paths?: readonly string[];
}

/**
 * Regular files in which images keep their bundle. Links to them, such as Alpine's /etc/ssl/cert.pem, need no entry.
 * The last is OpenSUSE's.
 */
export const STEP_BUNDLES: readonly string[] = [...SYSTEM_BUNDLES, "/var/lib/ca-certificates/ca-bundle.pem"];

/** Letters that mean nothing to sh, sed and JSON. */
const PLAIN_PATH = /^(\/[A-Za-z0-9._+@-]+)+$/;

/** Largest config.json that is edited. Its largest part is the step's command line and environment. */
const MAX_SPEC_BYTES = 8_388_608;

/** Whether a path may stand in a wrapper: absolute, of letters that need no quoting. */
export function isPlainPath(path: string): boolean {
  return PLAIN_PATH.test(path) && !/(^|\/)\.\.?(\/|$)/.test(path);
}

/**
 * A shell script that stands in for runc (`[worker.oci] binary`) and mounts the bundle, read-only, over those
 * bundles that a step's image has. Throws for a path that is not {@link isPlainPath}.
 *
 * It runs with any POSIX shell, busybox's included, since the image of buildkitd has neither node nor jq. It edits
 * config.json only where that is as BuildKit writes it: one line, one top-level `"mounts":[`, which cannot stand inside
 * a JSON string as its quotes would be escaped there. Otherwise, and whenever something fails, the step runs
 * unchanged, and a line on standard error, which is the step's log, says why.
 *
 * - Only files that the image has are covered: runc would create any other, and it would stay in the image.
 * - The mounts come before all others, so a step's own mount over the same place wins.
 * - A mounted file cannot be replaced (EBUSY), so steps that renew the image's bundle (update-ca-certificates,
 *   packages of certificates, upgrades) run without it, and so do those with BUILDKIT_GATEWAY_TRUST=off in their environment.
 * - No variable is set: it would be seen by what the step builds, and SSL_CERT_FILE would take the place of the image's own.
 */
export function runStepsWrapper({ bundle, runc, paths = STEP_BUNDLES }: WrapperOptions): string {
  for (const path of [bundle, ...(runc === undefined ? [] : [runc]), ...paths]) {
    if (!isPlainPath(path)) throw new Error(`not a plain absolute path: ${JSON.stringify(path)}`);
  }
  return `#!/bin/sh
# Written by buildkit-gateway trust inject --for run-steps. Stands in for runc: gives build steps the bundle.
bundle='${bundle}'
paths='${paths.join(" ")}'
runc='${runc ?? ""}'

say() {
  echo "buildkit-gateway: this step runs without the trust bundle: $1" >&2
}

# Whether an image has a regular file at a path, without following a link out of the image.
has_file() {
  at=$1
  old_ifs=$IFS
  IFS=/
  set -f
  for part in $2; do
    [ -n "$part" ] || continue
    at=$at/$part
    if [ -L "$at" ]; then at=; break; fi
  done
  set +f
  IFS=$old_ifs
  [ -n "$at" ] && [ -f "$at" ]
}

# Whether a step is about to replace the image's own bundle, which a mounted file does not let it do.
renews_bundle() {
  grep -q -E -e 'ca-certificates([^./]|$)|update-ca-trust|"BUILDKIT_GATEWAY_TRUST=off"' \\
    -e '(apk|apt|apt-get)( -[^ "]*)* (upgrade|dist-upgrade|full-upgrade)|(dnf|microdnf|yum)( -[^ "]*)* (update|upgrade)' "$1"
}

inject() {
  starts=
  dir=
  previous=
  for argument; do
    case $previous in --bundle | -b) dir=$argument ;; esac
    case $argument in
      run | create) [ -n "$dir" ] || starts=1 ;;
      --bundle=*) dir=\${argument#--bundle=} ;;
    esac
    previous=$argument
    [ -z "$dir" ] || break
  done
  [ -n "$starts" ] && [ -n "$dir" ] || return 0
  spec=$dir/config.json
  if [ ! -f "$spec" ] || [ -L "$spec" ]; then say "no config.json in $dir"; return 0; fi
  if [ ! -f "$bundle" ] || [ ! -r "$bundle" ] || [ ! -s "$bundle" ]; then say "no bundle at $bundle"; return 0; fi
  size=$(($(wc -c <"$spec")))
  if [ "$size" -gt ${MAX_SPEC_BYTES} ]; then say "its config.json has $size bytes"; return 0; fi
  if [ "$(($(wc -l <"$spec")))" -gt 1 ] || [ "$(grep -o '[,{]"mounts":\\[{' "$spec" | wc -l)" -ne 1 ] \\
    || ! grep -q -F "\\"root\\":{\\"path\\":\\"$dir/rootfs\\"" "$spec"; then
    say "its config.json is not as BuildKit writes it"
    return 0
  fi
  if renews_bundle "$spec"; then return 0; fi
  mounts=
  for path in $paths; do
    has_file "$dir/rootfs" "$path" || continue
    mounts="$mounts{\\"destination\\":\\"$path\\",\\"type\\":\\"bind\\",\\"source\\":\\"$bundle\\",\\"options\\":[\\"bind\\",\\"ro\\",\\"nosuid\\",\\"nodev\\",\\"noexec\\"]},"
  done
  [ -n "$mounts" ] || return 0
  if sed "s|\\\\([,{]\\"mounts\\":\\\\[\\\\){|\\\\1$mounts{|" "$spec" >"$spec.trust" \\
    && [ "$(($(wc -c <"$spec.trust")))" -eq "$((size + \${#mounts}))" ] && mv -f "$spec.trust" "$spec"; then
    return 0
  fi
  rm -f "$spec.trust"
  say "its config.json could not be edited"
}

inject "$@"
if [ -z "$runc" ]; then
  runc=runc
  if command -v buildkit-runc >/dev/null 2>&1; then runc=buildkit-runc; fi
fi
if [ -n "$BUILDKIT_GATEWAY_RUNC_WRAPPER" ]; then
  echo "buildkit-gateway: the wrapper of runc would run itself: give it the real one (trust inject --runc)" >&2
  exit 127
fi
BUILDKIT_GATEWAY_RUNC_WRAPPER=1 exec "$runc" "$@"
`;
}
