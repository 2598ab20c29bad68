import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, startServer } from "../child.ts";
import { findProgram } from "../peer-packages.ts";
import type { Target } from "./target.ts";

/** haproxy with one thread, HTTP/2 on both sides, and buffers of the size that served it best here (16 to 256 KiB tried). */
export const haproxy: Target = {
  name: "haproxy",
  async start({ replica, certificate, folder, commandPrefix }) {
    const program = findProgram("haproxy");
    const ports = { cleartext: await freePort(), tls: await freePort() };
    const configPath = path.join(folder, "haproxy.cfg");
    writeFileSync(
      configPath,
      `global
  nbthread 1
  maxconn 4096
  tune.bufsize 65536
  tune.h2.initial-window-size 16777216
  tune.h2.max-concurrent-streams 1024
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  http-reuse always
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout http-request 1h
frontend cleartext
  bind 127.0.0.1:${ports.cleartext} proto h2
  default_backend replica
frontend tls
  bind 127.0.0.1:${ports.tls} ssl crt ${certificate.bundlePath} alpn h2
  default_backend replica
backend replica
  server replica 127.0.0.1:${replica.plain} proto h2
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
      version: `${/^HAProxy version \S+/.exec(about)?.[0].replace("HAProxy version ", "haproxy/")}, mode http, h2, 1 thread`,
      cleartext: { port: ports.cleartext, pid: server.pid },
      tls: { port: ports.tls, pid: server.pid },
      stop: server.stop,
    };
  },
};
