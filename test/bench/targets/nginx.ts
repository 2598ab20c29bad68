import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, startServer } from "../child.ts";
import { findNginxModule, findProgram } from "../peer-packages.ts";
import type { RunningTarget, Target, TargetContext } from "./target.ts";

/** nginx with one worker and `grpc_pass`, with large buffers and connections that stay. */
export const nginx: Target = {
  name: "nginx",
  start: (context) => startNginx(context, { described: "grpc_pass", block: grpcBlock }),
};

/** nginx with one worker that passes bytes on without looking at them. */
export const nginxStream: Target = {
  name: "nginx-stream",
  start: (context) => startNginx(context, { described: "stream", block: streamBlock }),
};

/** Where nginx listens. */
interface Ports {
  readonly cleartext: number;
  readonly tls: number;
  readonly mtls: number;
}

interface Mode {
  readonly described: string;
  /** The block of its configuration that serves. */
  readonly block: (context: TargetContext, ports: Ports) => string;
}

function grpcBlock({ replica, certificate, folder }: TargetContext, ports: Ports): string {
  const location = `location / { grpc_pass grpc://replica; }`;
  return `http {
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
    ${tlsOf(certificate)}
    ssl_buffer_size 16k;
    upstream replica {
      server 127.0.0.1:${replica.plain};
      keepalive 256;
      keepalive_requests 1000000000;
      keepalive_time 24h;
    }
    server { listen 127.0.0.1:${ports.cleartext} http2; ${location} }
    server { listen 127.0.0.1:${ports.tls} ssl http2; ${location} }
    server { listen 127.0.0.1:${ports.mtls} ssl http2; ${verify(certificate)} ${location} }
  }`;
}

function streamBlock({ replica, certificate }: TargetContext, ports: Ports): string {
  const pass = `proxy_pass 127.0.0.1:${replica.plain};`;
  return `stream {
    tcp_nodelay on;
    proxy_buffer_size 128k;
    proxy_timeout 1h;
    ${tlsOf(certificate)}
    ssl_alpn h2;
    server { listen 127.0.0.1:${ports.cleartext}; ${pass} }
    server { listen 127.0.0.1:${ports.tls} ssl; ${pass} }
    server { listen 127.0.0.1:${ports.mtls} ssl; ${verify(certificate)} ${pass} }
  }`;
}

function tlsOf({ certPath, keyPath }: TargetContext["certificate"]): string {
  return `ssl_certificate ${certPath}; ssl_certificate_key ${keyPath}; ssl_protocols TLSv1.3;`;
}

function verify({ certPath }: TargetContext["certificate"]): string {
  return `ssl_verify_client on; ssl_client_certificate ${certPath};`;
}

async function startNginx(context: TargetContext, { described, block }: Mode): Promise<RunningTarget> {
  const { folder, commandPrefix } = context;
  const program = findProgram("nginx");
  const module = findNginxModule(program, "ngx_stream_module.so");
  const ports = { cleartext: await freePort(), tls: await freePort(), mtls: await freePort() };
  const configPath = path.join(folder, "nginx.conf");
  writeFileSync(
    configPath,
    `daemon off;
    ${module === undefined ? "" : `load_module ${module};`}
    ${process.getuid?.() === 0 ? "user root;" : ""}
    worker_processes 1;
    worker_rlimit_nofile 16384;
    pid ${folder}/nginx.pid;
    error_log stderr error;
    events { worker_connections 8192; }
    ${block(context, ports)}`,
  );
  const [command, ...args] = [...commandPrefix, program.path, "-e", "stderr", "-p", folder, "-c", configPath];
  const server = await startServer(command!, args, { name: "nginx", ports: Object.values(ports), env: program.env });
  // nginx prints its version on standard error.
  const version = execFileSync("sh", ["-c", '"$0" -v 2>&1', program.path], { encoding: "utf8", env: program.env });
  const { pid } = server;
  return {
    version: `${version.replace("nginx version: ", "").trim()}, ${described}, 1 worker`,
    cleartext: { port: ports.cleartext, pid },
    tls: { port: ports.tls, pid },
    mtls: { port: ports.mtls, pid },
    stop: server.stop,
  };
}
