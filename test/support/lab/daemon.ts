import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import type { ReplicaSource } from "./tools.ts";

/** What a daemon finds in other ways than this machine has it. */
export interface DaemonSurroundings {
  /** Its files are laid over those of /etc. */
  readonly etc?: string;
  /** Folders of `etc` that take the place of /etc's, so that the daemon sees what changes in them: `docker`. */
  readonly liveEtc?: readonly string[];
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** buildkitd only: its buildkitd.toml. Read at each start. */
  readonly configFile?: string;
}

/** How a BuildKit daemon is started in a pod, and where it listens. */
export interface Daemon {
  readonly socketPath: string;
  /** BuildKit answers on the socket only after an HTTP upgrade to h2c. */
  readonly upgrade: boolean;
  /** Shell commands that start it in the background. */
  readonly start: string;
  readonly env: NodeJS.ProcessEnv;
  /** What SIGTERM goes to. */
  readonly name: RegExp;
  readonly logs: readonly string[];
  /** Rejects as long as it does not listen. */
  isReady(): Promise<boolean>;
}

/** dockerd, whose embedded BuildKit serves the same API; its state goes into `dir`. */
export async function dockerd(
  dir: string,
  source: ReplicaSource & { t: "dockerd" },
  surroundings: DaemonSurroundings = {},
): Promise<Daemon> {
  const socketPath = join(dir, "docker.sock");
  const containerdSocket = join(dir, "c.sock");
  const logs = [join(dir, "containerd.log"), join(dir, "dockerd.log")];
  await writeFile(
    join(dir, "containerd.toml"),
    [
      "version = 2",
      `root = "${join(dir, "c")}"`,
      `state = "${join(dir, "s")}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${containerdSocket}"`,
      `[ttrpc]\naddress = "${containerdSocket}.ttrpc"`,
      "",
    ].join("\n"),
  );
  // Without containerd's snapshotter, BuildKit inside dockerd has no oci, docker and image exporter.
  await writeFile(join(dir, "daemon.json"), '{"features":{"containerd-snapshotter":true}}');
  const flags = [
    `-H unix://${socketPath} --containerd ${containerdSocket} --config-file ${join(dir, "daemon.json")}`,
    `--data-root ${join(dir, "data")} --exec-root ${join(dir, "exec")} --pidfile ${join(dir, "dockerd.pid")}`,
    "--iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none --userland-proxy=false",
  ].join(" ");
  return {
    socketPath,
    upgrade: true,
    // A socket or a pid that a killed daemon left behind would stop the next one.
    start: [
      ...mountCommands(surroundings),
      `rm -rf ${join(dir, "dockerd.pid")} ${socketPath} ${containerdSocket}* ${join(dir, "s")} ${join(dir, "exec")}`,
      `containerd -c ${join(dir, "containerd.toml")} --log-level warn >>${logs[0]} 2>&1 </dev/null &`,
      `dockerd ${flags} >>${logs[1]} 2>&1 </dev/null &`,
    ].join("\n"),
    env: { ...process.env, PATH: `${source.path}${delimiter}${process.env.PATH ?? ""}`, ...surroundings.env },
    name: /^dockerd /,
    logs,
    isReady: () => answersPing(socketPath),
  };
}

/** buildkitd itself; its state goes into `dir`. */
export function buildkitd(
  dir: string,
  source: ReplicaSource & { t: "buildkitd" },
  surroundings: DaemonSurroundings = {},
): Daemon {
  const socketPath = join(dir, "buildkitd.sock");
  const log = join(dir, "buildkitd.log");
  const flags = `--root ${join(dir, "data")} --addr unix://${socketPath} --containerd-worker=false --oci-worker-net=host`;
  const config = surroundings.configFile === undefined ? "" : ` --config ${surroundings.configFile}`;
  return {
    socketPath,
    upgrade: false,
    start: [
      ...mountCommands(surroundings),
      `rm -f ${socketPath}`,
      `${source.file} ${flags}${config} >>${log} 2>&1 </dev/null &`,
    ].join("\n"),
    env: { ...process.env, ...surroundings.env },
    name: /buildkitd /,
    logs: [log],
    isReady: () => accepts(socketPath),
  };
}

/** They count in the pod's own mount namespace only. */
function mountCommands({ etc, liveEtc = [] }: DaemonSurroundings): string[] {
  if (etc === undefined) return [];
  return [
    `mount -t overlay overlay -o lowerdir=${etc}:/etc /etc`,
    ...liveEtc.map((folder) => `mount --bind ${join(etc, folder)} ${join("/etc", folder)}`),
  ];
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const ping = request({ socketPath, path: "/_ping", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
    });
    ping.on("error", reject);
    ping.end();
  });
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.on("error", reject);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
