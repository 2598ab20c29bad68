import { readQuery } from "./query.ts";
import { type AdminRoutes, respondJson } from "./routes.ts";

/** How much a pool has to do. */
export interface PoolLoad {
  /** Builds that wait here. */
  readonly queued: number;
  /** Builds that run on its replicas, whoever started them. */
  readonly running: number;
  readonly readyReplicas: number;
  /** Builds that one replica runs at once; 0 sets no limit. */
  readonly maxBuilds: number;
}

/** A pool whose load can be asked for. */
export interface LoadPool {
  readonly name: string;
  load(): PoolLoad;
}

/** What `/load` says of a pool, and of all together. */
interface LoadAnswer {
  readonly queued: number;
  readonly running: number;
  /** Builds that the ready replicas can run at once; null where that has no limit. */
  readonly capacity: number | null;
  /** Replicas that all builds, queued and running, need; null where one replica takes any number. */
  readonly wanted: number | null;
  readonly readyReplicas: number;
}

/** `GET /load`: what an autoscaler needs to know, of all pools together and of each. */
export function loadRoute(pools: readonly LoadPool[]): AdminRoutes {
  return {
    "/load": {
      methods: ["GET", "HEAD"],
      handle: ({ query }, response) => {
        readQuery(query, []);
        respondJson(response, 200, loadAnswer(pools.map((pool) => ({ name: pool.name, ...pool.load() }))));
      },
    },
  };
}

/** What an autoscaler is told of pools: of all together, and of each. */
export function loadAnswer(pools: readonly ({ readonly name: string } & PoolLoad)[]) {
  const answers = pools.map((pool) => [pool.name, answerOf(pool)] as const);
  const total = answers.map(([, answer]) => answer).reduce(add, IDLE);
  return { ...total, pools: Object.fromEntries(answers) };
}

const IDLE: LoadAnswer = { queued: 0, running: 0, capacity: 0, wanted: 0, readyReplicas: 0 };

function answerOf({ queued, running, readyReplicas, maxBuilds }: PoolLoad): LoadAnswer {
  const isLimited = maxBuilds > 0;
  return {
    queued,
    running,
    capacity: isLimited ? readyReplicas * maxBuilds : null,
    wanted: isLimited ? Math.ceil((running + queued) / maxBuilds) : null,
    readyReplicas,
  };
}

function add(one: LoadAnswer, other: LoadAnswer): LoadAnswer {
  const addKnown = (a: number | null, b: number | null) => (a === null || b === null ? null : a + b);
  return {
    queued: one.queued + other.queued,
    running: one.running + other.running,
    capacity: addKnown(one.capacity, other.capacity),
    wanted: addKnown(one.wanted, other.wanted),
    readyReplicas: one.readyReplicas + other.readyReplicas,
  };
}
