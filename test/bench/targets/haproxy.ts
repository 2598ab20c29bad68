import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, startServer } from "../child.ts";
import { findProgram } from "../peer-packages.ts";
import type { RunningTarget, Target, TargetContext } from "./target.ts";

/** haproxy with one thread, HTTP/2 on both sides, and buffers of the size that served it best here (16 to 256 KiB tried). */
export const haproxy: Target = {
  name: "haproxy",
  start: (context) => startHaproxy(context, { mode: "http", proto: "proto h2", described: "mode http, h2" }),
};

/** haproxy that passes bytes on without looking at them. */
export const haproxyTcp: Target = {
  name: "haproxy-tcp",
  start: (context) => startHaproxy(context, { mode: "tcp", proto: "", described: "mode tcp" }),
};

async function startHaproxy(
  { replica, certificate, folder, commandPrefix }: TargetContext,
  { mode, proto, described }: { readonly mode: "http" | "tcp"; readonly proto: string; readonly described: string },
): Promise<RunningTarget> {
  const program = findProgram("haproxy");
  const ports = { cleartext: await freePort(), tls: await freePort(), mtls: await freePort() };
  const withTls = `ssl crt ${certificate.bundlePath} alpn h2`;
  const configPath = path.join(folder, "haproxy.cfg");
  writeFileSync(
    configPath,
    `global
  nbthread 1
  maxconn 8192
  tune.bufsize 65536
  tune.h2.initial-window-size 16777216
  tune.h2.max-concurrent-streams 1024
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode ${mode}
  ${mode === "http" ? "http-reuse always" : ""}
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  ${mode === "http" ? "timeout http-request 1h" : ""}
frontend cleartext
  bind 127.0.0.1:${ports.cleartext} ${proto}
  default_backend replica
frontend tls
  bind 127.0.0.1:${ports.tls} ${withTls}
  default_backend replica
frontend mtls
  bind 127.0.0.1:${ports.mtls} ${withTls} verify required ca-file ${certificate.certPath}
  default_backend replica
backend replica
  server replica 127.0.0.1:${replica.plain} ${proto}
`,
  );
  const [command, ...args] = [...commandPrefix, program.path, "-db", "-f", configPath];
  const server = await startServer(command!, args, {
    name: "haproxy",
    ports: Object.values(ports),
    env: program.env,
  });
  const about = execFileSync(program.path, ["-v"], { encoding: "utf8", env: { ...process.env, ...program.env } });
  return {
    version: `${/^HAProxy version \S+/.exec(about)?.[0].replace("HAProxy version ", "haproxy/")}, ${described}, 1 thread`,
    cleartext: { port: ports.cleartext, pid: server.pid },
    tls: { port: ports.tls, pid: server.pid },
    mtls: { port: ports.mtls, pid: server.pid },
    stop: server.stop,
  };
}
