import type { Buildx } from "../lab/buildx.ts";
import type { GatewayProcess } from "../lab/gateway-process.ts";
import { Gateways } from "../lab/gateways.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabReplica } from "../lab/replica.ts";
import { buildAndLocate, checkOut } from "./repository.ts";

/** A build that is done. */
export interface DoneBuild {
  readonly buildRef: string;
  readonly repository: string;
  readonly replica: LabReplica;
}

/** How much is built on how many. */
export interface BuiltFleetOptions {
  readonly replicas: number;
  /** Of repositories of their own. At least as many as there are replicas. */
  readonly builds: number;
  /** Settings of both gateways, by the names of their variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Replicas with builds on each of them, the gateway that placed these, and another that did not. */
export class BuiltFleet {
  readonly replicas: readonly LabReplica[];
  readonly gateway: GatewayProcess;
  /** Placed nothing. */
  readonly otherGateway: GatewayProcess;
  readonly builds: readonly DoneBuild[];
  readonly #lab: Lab;
  readonly #gateways: Gateways;
  #late = 0;

  private constructor(
    lab: Lab,
    gateways: Gateways,
    replicas: readonly LabReplica[],
    [gateway, otherGateway]: readonly [GatewayProcess, GatewayProcess],
    builds: readonly DoneBuild[],
  ) {
    this.#lab = lab;
    this.#gateways = gateways;
    this.replicas = replicas;
    this.gateway = gateway;
    this.otherGateway = otherGateway;
    this.builds = builds;
  }

  static async start(lab: Lab, { replicas: count, builds: wanted, env = {} }: BuiltFleetOptions): Promise<BuiltFleet> {
    const gateways = new Gateways();
    try {
      const replicas = await lab.startReplicas(count);
      const gateway = await gateways.start({ replicas, env });
      const builds: DoneBuild[] = [];
      for (let number = 0; builds.length < wanted; number++) {
        // They take turns, so that each replica has its share.
        builds.push(await buildOn(replicas[number % replicas.length]!, `acme/app-${number}x`, lab, gateway, replicas));
      }
      const otherGateway = await gateways.start({ replicas, env });
      return new BuiltFleet(lab, gateways, replicas, [gateway, otherGateway], builds);
    } catch (error) {
      await gateways.kill();
      throw error;
    }
  }

  /** A new home, as a fresh machine would have it, whose builder is the other gateway. */
  other(): Promise<Buildx> {
    return this.#lab.createBuilder({ version: "0.29", address: this.otherGateway.address });
  }

  /** One build more, through the gateway, on this replica. */
  buildOn(replica: LabReplica): Promise<DoneBuild> {
    return buildOn(replica, `acme/late-${this.#late++}x`, this.#lab, this.gateway, this.replicas);
  }

  /** One more gateway, that leaves out what is missing. Ends with the others. */
  lenientGateway(): Promise<GatewayProcess> {
    const env = {
      BUILDKIT_GATEWAY_HEALTH_INTERVAL: "1s",
      BUILDKIT_GATEWAY_CONTROL_INCOMPLETE_HISTORY: "omit",
      BUILDKIT_GATEWAY_CONTROL_INCOMPLETE_DISK_USAGE: "omit",
    };
    return this.#gateways.start({ replicas: this.replicas, env });
  }

  /** Refs as the replicas themselves have them, newest first. */
  async newestFirst(): Promise<string[]> {
    const all = await Promise.all(this.replicas.map(({ control }) => control.builds()));
    return all
      .flat()
      .sort((one, other) => other.createdAtMs - one.createdAtMs)
      .map(({ buildRef }) => buildRef);
  }

  /** The first build of each replica. */
  onePerReplica(): DoneBuild[] {
    return this.replicas.map((replica) => this.builds.find((build) => build.replica === replica)!);
  }

  /** End the gateways. The replicas are the lab's. */
  close(): Promise<void> {
    return this.#gateways.kill();
  }
}

/** Build a repository of such a name that its place is this replica. */
async function buildOn(
  wanted: LabReplica,
  name: string,
  lab: Lab,
  gateway: GatewayProcess,
  replicas: readonly LabReplica[],
): Promise<DoneBuild> {
  for (let attempt = 0; ; attempt++) {
    const repository = `${name}${attempt}x`;
    if ((await destinationOf(gateway, repository)) !== wanted.name) continue;
    const buildx = await lab.createBuilder({ version: "0.29", address: gateway.address });
    const folder = await checkOut(lab, buildx, repository);
    const { buildRef, replica } = await buildAndLocate(lab, buildx, folder, replicas);
    return { buildRef, repository, replica };
  }
}

/** Where a gateway would place a build of this repository now. */
async function destinationOf(gateway: GatewayProcess, repository: string): Promise<string> {
  const { text } = await gateway.ask(`/explain?repo=https://git.invalid/${repository}.git&directory=.`);
  const { pools } = JSON.parse(text) as { pools: readonly { decision: { replica: string } }[] };
  return pools[0]!.decision.replica;
}
