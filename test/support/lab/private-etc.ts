import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "./certificates.ts";
import type { DaemonSurroundings } from "./daemon.ts";

/** A name of 127.0.0.1 in a {@link makePrivateEtc}: BuildKit speaks plain HTTP to what is called localhost. */
export const PRIVATE_HOST = "harbor.test";

/** Files for /etc: hosts, an empty folder for dockerd's registries, and a bundle that trusts none of a test's authorities. */
export async function makePrivateEtc(folder: string): Promise<string> {
  const etc = join(folder, "etc");
  await mkdir(join(etc, "docker/certs.d"), { recursive: true });
  await mkdir(join(etc, "ssl/certs"), { recursive: true });
  await writeFile(join(etc, "hosts"), `127.0.0.1 localhost ${PRIVATE_HOST}\n`);
  await writeFile(join(etc, "ssl/certs/ca-certificates.crt"), new TestAuthority("somebody else").cert);
  return etc;
}

/** A daemon that finds them, and whose runc is the program `runc-wrapper` beside them, which is just runc at first. */
export async function privateSurroundings(etc: string, configFile: string): Promise<DaemonSurroundings> {
  const wrapper = join(etc, "../runc-wrapper");
  await writeFile(wrapper, '#!/bin/sh\nexec runc "$@"\n');
  await chmod(wrapper, 0o755);
  return {
    etc,
    liveEtc: ["docker", "ssl/certs"],
    env: {
      SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt",
      SSL_CERT_DIR: "/etc/ssl/certs",
      DOCKER_BUILDKIT_RUNC_COMMAND: wrapper,
    },
    configFile,
  };
}

/** A command line that runs a program where `etc` lies over /etc: what to run, and its first arguments. */
export function inPrivateEtc(etc: string): { readonly file: string; readonly args: readonly string[] } {
  const mounts = `mount -t overlay overlay -o lowerdir=${etc}:/etc /etc && mount --bind ${etc}/ssl/certs /etc/ssl/certs`;
  return { file: "unshare", args: ["--mount", "sh", "-c", `${mounts} && exec "$@"`, "sh"] };
}
