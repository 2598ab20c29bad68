import { UNKNOWN_CALLER } from "../identity/caller.ts";
import { affinityKey, type KeySource } from "../routing/affinity-key.ts";
import type { Explanation } from "../routing/explanation.ts";
import type { Placement } from "../routing/placement.ts";
import { describeReason } from "../routing/placement-reason.ts";
import { parseRepository } from "../routing/repository.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, RequestFault, respondJson } from "./routes.ts";

/** A pool whose placement can be explained. */
export interface ExplainPool {
  readonly name: string;
  /** What its keys are made from, in order. */
  readonly keySources: readonly KeySource[];
  /** Where a build of this key would go now, and why. */
  explain(key: string | undefined): Explanation;
}

const PARAMETERS = ["repo", "directory", "image", "key", "pool"] as const;

/** No key is longer. */
const MAX_KEY_CHARACTERS = 512;

/**
 * `GET /explain`: where a build would go now, in every pool or in that of
 * `pool=`. The build is given by its `key`, or by what a key is made from:
 * `repo` (any spelling of a git remote) with a `directory` in it, and `image`.
 * Credentials in `repo` are neither answered nor logged.
 */
export function explainRoute(pools: readonly ExplainPool[]): AdminRoutes {
  return {
    "/explain": {
      methods: ["GET", "HEAD"],
      handle: ({ query }, response) => {
        const { pool: name, ...build } = readQuery(query, PARAMETERS);
        const chosen = name === undefined ? pools : pools.filter((pool) => pool.name === name);
        if (chosen.length === 0) {
          throw new RequestFault(404, `no such pool; there are: ${pools.map((pool) => pool.name).join(", ")}`);
        }
        const answers = chosen.map((pool) => answerOf(pool.name, pool.explain(keyOf(build, pool.keySources))));
        respondJson(response, 200, { pools: answers });
      },
    },
  };
}

/** What a request says of a build. */
interface GivenBuild {
  readonly repo?: string;
  readonly directory?: string;
  readonly image?: string;
  readonly key?: string;
}

function keyOf({ repo, directory, image, key }: GivenBuild, sources: readonly KeySource[]): string | undefined {
  if (key !== undefined) {
    if ((repo ?? directory ?? image) !== undefined)
      throw new RequestFault(400, "give a key, or what it is made from, not both");
    return checkKey(key);
  }
  if (repo === undefined && directory !== undefined) throw new RequestFault(400, "a directory needs a repo");
  if (repo !== undefined && !parseRepository(repo)) throw new RequestFault(400, "repo is not a git remote");
  const attrs = new Map<string, string>();
  // A remote alone may name a directory behind a #, which the other attribute's would win over.
  if (repo !== undefined) attrs.set(directory === undefined ? "context" : "vcs:source", repo);
  if (directory !== undefined) attrs.set("vcs:localdir:context", directory);
  const imageNames = image === undefined ? [] : [image];
  return affinityKey({ attrs, imageNames, caller: UNKNOWN_CALLER, sharedKey: undefined }, sources);
}

/** Keys are shown and logged: a remote with a token in it must not pass for one. */
function checkKey(key: string): string | undefined {
  if (key.includes("://")) throw new RequestFault(400, "key is a URL; give it as repo");
  if (key.length > MAX_KEY_CHARACTERS) {
    throw new RequestFault(400, `key is longer than ${MAX_KEY_CHARACTERS} characters`);
  }
  return key === "" ? undefined : key;
}

function answerOf(pool: string, { key, decision, replicas }: Explanation) {
  return {
    pool,
    key: key ?? null,
    decision: {
      outcome: decision.t,
      replica: "replicaId" in decision ? decision.replicaId : null,
      reason: decision.t === "placed" ? decision.reason.t : null,
      text: describeDecision(decision, key),
    },
    replicas: replicas.map(({ id, ...rest }) => ({ replica: id, ...rest })),
  };
}

function describeDecision(decision: Placement, key: string | undefined): string {
  switch (decision.t) {
    case "placed":
      return `goes to ${decision.replicaId} (${describeReason(decision.reason, key)})`;
    case "busy":
      return `waits up to affinity.patience for ${decision.replicaId}, which is warm for it and busy`;
    case "unconfirmed":
      return `goes to ${decision.replicaId} in a moment, once the last build there is confirmed`;
    case "full":
      return "waits in the queue: all replicas are full";
    case "none":
      return "waits in the queue: no replica takes builds";
  }
}
