import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LabReplica } from "../../support/lab/replica.ts";
import { freePort, startServer } from "../child.ts";
import { findNginxModule, findProgram } from "../peer-packages.ts";
import type { RunningFront } from "./front.ts";

/** nginx as a TCP balancer: each connection goes to the next replica, as behind a Service or any L4 balancer. */
export async function startRoundRobinFront(replicas: readonly LabReplica[], folder: string): Promise<RunningFront> {
  const program = findProgram("nginx");
  const streamModule = findNginxModule(program, "ngx_stream_module.so");
  const port = await freePort();
  const configPath = join(folder, "nginx.conf");
  await writeFile(
    configPath,
    `${streamModule === undefined ? "" : `load_module ${streamModule};`}
    daemon off;
    ${process.getuid?.() === 0 ? "user root;" : ""}
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr error;
    events { worker_connections 4096; }
    stream {
      tcp_nodelay on;
      upstream replicas {
        ${replicas.map(({ address }) => `server ${address.replace("tcp://", "")};`).join("\n        ")}
      }
      server {
        listen 127.0.0.1:${port};
        proxy_timeout 1h;
        proxy_pass replicas;
      }
    }`,
  );
  const args = ["-e", "stderr", "-p", folder, "-c", configPath];
  const server = await startServer(program.path, args, { name: "nginx", ports: [port], env: program.env });
  // nginx prints its version on standard error.
  const version = execFileSync("sh", ["-c", '"$0" -v 2>&1', program.path], { encoding: "utf8", env: program.env });
  return {
    about: `${version.replace("nginx version: ", "").trim()} stream, round robin, ${replicas.length} replicas`,
    address: `tcp://127.0.0.1:${port}`,
    stop: server.stop,
  };
}
