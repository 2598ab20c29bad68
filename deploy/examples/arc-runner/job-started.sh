#!/bin/bash
# Job-started hook of the runner: tell the sidecar which job this is, before any step of it runs.
#
# The file holds NAME=value lines, and is there whole or not at all. No secret is in it.
set -euo pipefail
file=${BUILDKIT_IDENTITY_FILE:-/run/buildkit-identity/job.env}

for name in GITHUB_SERVER_URL GITHUB_REPOSITORY GITHUB_WORKFLOW_REF GITHUB_RUN_ID GITHUB_JOB; do
  # A value is one line.
  printf '%s=%s\n' "$name" "$(printf '%s' "${!name:-}" | tr -d '\r\n')"
done >"$file.new"
mv "$file.new" "$file"
