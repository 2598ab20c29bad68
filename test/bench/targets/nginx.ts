import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, startServer } from "../child.ts";
import { findProgram } from "../peer-packages.ts";
import type { Target } from "./target.ts";

/** nginx with one worker and `grpc_pass`, with large buffers and connections that stay. */
export const nginx: Target = {
  name: "nginx",
  async start({ replica, certificate, folder, commandPrefix }) {
    const program = findProgram("nginx");
    const ports = { cleartext: await freePort(), tls: await freePort() };
    const configPath = path.join(folder, "nginx.conf");
    const location = `location / { grpc_pass grpc://replica; }`;
    writeFileSync(
      configPath,
      `daemon off;
      ${process.getuid?.() === 0 ? "user root;" : ""}
      worker_processes 1;
      pid ${folder}/nginx.pid;
      error_log stderr error;
      events { worker_connections 4096; }
      http {
        access_log off;
        ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((use) => `${use}_temp_path ${folder}/${use};`).join(" ")}
        tcp_nodelay on;
        client_max_body_size 0;
        client_body_buffer_size 1m;
        client_body_timeout 1h;
        keepalive_requests 1000000000;
        keepalive_time 24h;
        http2_max_concurrent_streams 1024;
        http2_body_preread_size 1m;
        http2_recv_buffer_size 1m;
        http2_chunk_size 16k;
        grpc_buffer_size 128k;
        grpc_read_timeout 1h;
        grpc_send_timeout 1h;
        ssl_certificate ${certificate.certPath};
        ssl_certificate_key ${certificate.keyPath};
        ssl_protocols TLSv1.3;
        ssl_buffer_size 16k;
        upstream replica {
          server 127.0.0.1:${replica.plain};
          keepalive 256;
          keepalive_requests 1000000000;
          keepalive_time 24h;
        }
        server { listen 127.0.0.1:${ports.cleartext} http2; ${location} }
        server { listen 127.0.0.1:${ports.tls} ssl http2; ${location} }
      }`,
    );
    const [command, ...args] = [...commandPrefix, program.path, "-e", "stderr", "-p", folder, "-c", configPath];
    const server = await startServer(command!, args, { name: "nginx", ports: Object.values(ports), env: program.env });
    // nginx prints its version on standard error.
    const version = execFileSync("sh", ["-c", '"$0" -v 2>&1', program.path], { encoding: "utf8", env: program.env });
    return {
      version: `${version.replace("nginx version: ", "").trim()}, grpc_pass, 1 worker`,
      cleartext: { port: ports.cleartext, pid: server.pid },
      tls: { port: ports.tls, pid: server.pid },
      stop: server.stop,
    };
  },
};
