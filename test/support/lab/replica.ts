import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Bridge, type TlsFront } from "./bridge.ts";
import { type ControlClient, controlClient } from "./control-client.ts";
import { buildkitd, type Daemon, type DaemonSurroundings, dockerd } from "./daemon.ts";
import { POD_LOG, Pod } from "./pod.ts";
import { pollUntil } from "./poll.ts";
import type { TreeProcess } from "./process-tree.ts";
import type { ReplicaSource } from "./tools.ts";

/** One real BuildKit daemon behind a TCP port, and everything a cluster may do to it. */
export interface LabReplica {
  readonly name: string;
  /** `tcp://127.0.0.1:port`; the same over every restart. */
  readonly address: string;
  /** Tells the replicas of a lab apart: BuildKit's own id of its worker. Another one after `replace`. */
  readonly workerUuid: string;
  /** Whether the lab runs it. Replicas from BUILDKIT_ADDRS can only be asked, everything below throws for them. */
  readonly isOwned: boolean;
  /** What the daemon itself says, asked past any gateway. */
  readonly control: ControlClient;
  /** Processes of the daemon and of its containers. */
  processes(): Promise<TreeProcess[]>;
  /** As `kill -9` of the pod: connections close at once, new ones are refused. Its state stays for `restart`. */
  kill9(): Promise<void>;
  /** As Kubernetes ends a pod: SIGTERM, then SIGKILL after 5 s. New connections are refused from the end on. */
  stop(): Promise<void>;
  /** Start again with the same state on the same port. */
  restart(): Promise<void>;
  /** Start another with empty state on the same port, as Kubernetes puts a new pod in an ended one's place. */
  replace(): Promise<void>;
  /** SIGSTOP: connections stay open and are accepted, nothing answers. */
  freeze(): Promise<void>;
  /** Undo `freeze`. */
  thaw(): Promise<void>;
  /** End it and remove its state. Any number of times. */
  close(): Promise<void>;
}

/** What a replica is made from. */
export interface ReplicaOptions {
  readonly name: string;
  readonly source: Exclude<ReplicaSource, { t: "external" }>;
  /** Its private folder; must be short, as unix sockets go into it. Made here. */
  readonly dir: string;
  /** Serve TLS on the port. Absent: cleartext. */
  readonly tlsFront?: TlsFront;
  /** Default: as this machine is. */
  readonly surroundings?: DaemonSurroundings;
}

const STOP_GRACE_MS = 5_000;

/** Start a BuildKit daemon with an empty state, and wait until it answers. */
export async function startReplica(options: ReplicaOptions): Promise<LabReplica> {
  const makeDaemon = async () => {
    await mkdir(options.dir, { recursive: true });
    const { source } = options;
    return source.t === "dockerd"
      ? await dockerd(options.dir, source, options.surroundings)
      : buildkitd(options.dir, source, options.surroundings);
  };
  // The same every time: what changes is the state that it finds.
  const daemon = await makeDaemon();
  let pod = await startPod(options, daemon);
  const openBridge = (port: number) =>
    Bridge.open({ ...daemon, port, ...(options.tlsFront && { tlsFront: options.tlsFront }) });
  let bridge = await openBridge(0);
  const { port } = bridge;
  const control = replicaControl(daemon);
  let workerUuid = await control.workerUuid();
  const end = async (endPod: () => Promise<void>) => {
    await bridge.close();
    await endPod();
  };
  const begin = async () => {
    pod = await startPod(options, daemon);
    workerUuid = await control.workerUuid();
    bridge = await openBridge(port);
  };
  return {
    name: options.name,
    address: `tcp://127.0.0.1:${port}`,
    get workerUuid() {
      return workerUuid;
    },
    isOwned: true,
    control,
    processes: () => pod.processes(),
    kill9: () => end(() => pod.kill()),
    async stop() {
      await pod.terminate(daemon.name, STOP_GRACE_MS);
      await bridge.close();
    },
    async restart() {
      await end(() => pod.kill());
      await begin();
    },
    async replace() {
      await end(() => pod.kill());
      await rm(options.dir, { recursive: true, force: true });
      await makeDaemon();
      await begin();
    },
    freeze: () => pod.signalAll("SIGSTOP"),
    thaw: () => pod.signalAll("SIGCONT"),
    async close() {
      await end(() => pod.kill());
      await rm(options.dir, { recursive: true, force: true });
    },
  };
}

/** A replica that runs elsewhere, in the clear. */
export async function externalReplica(name: string, address: string): Promise<LabReplica> {
  const control = controlClient(address.replace(/^tcp:\/\//, ""));
  const refuse = () => Promise.reject(new Error(`${name} (${address}) is not the lab's: it can only be asked`));
  return {
    name,
    address,
    workerUuid: await control.workerUuid(),
    isOwned: false,
    control,
    processes: refuse,
    kill9: refuse,
    stop: refuse,
    restart: refuse,
    replace: refuse,
    freeze: refuse,
    thaw: refuse,
    close: async () => {},
  };
}

/** Questions go over a bridge of their own, in the clear, open only while one is asked. */
function replicaControl(daemon: Daemon): ControlClient {
  const ask = async <T>(question: (client: ControlClient) => Promise<T>): Promise<T> => {
    const bridge = await Bridge.open({ ...daemon, port: 0 });
    try {
      return await question(controlClient(`127.0.0.1:${bridge.port}`));
    } finally {
      await bridge.close();
    }
  };
  return {
    workerUuid: () => ask((client) => client.workerUuid()),
    buildRefs: () => ask((client) => client.buildRefs()),
    activeRefs: () => ask((client) => client.activeRefs()),
    builds: () => ask((client) => client.builds()),
  };
}

async function startPod(options: ReplicaOptions, daemon: Daemon): Promise<Pod> {
  const pod = new Pod({ dir: options.dir, start: daemon.start, env: daemon.env });
  try {
    const isReadyOrEnded = async () => !pod.isRunning || (await daemon.isReady());
    await pollUntil(`${options.name} to start`, isReadyOrEnded, { timeoutMs: 30_000, intervalMs: 20 });
    if (!pod.isRunning) throw new Error("its pod has ended");
    return pod;
  } catch (cause) {
    await pod.kill();
    const logs = await Promise.all(
      [join(options.dir, POD_LOG), ...daemon.logs].map((file) => readFile(file, "utf8").catch(() => "")),
    );
    throw new Error(`${options.name} did not start:\n${logs.join("").slice(-4_000)}`, { cause });
  }
}
