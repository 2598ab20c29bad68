import { connect as connectTcp } from "node:net";
import { STATUS, statusMessage } from "../support/build-calls.ts";
import { CLIENT_PREFACE } from "../support/raw-http2/frames.ts";
import { OTHER_PATH } from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import type { RanBuild } from "./build-books.ts";
import { Course } from "./course.ts";
import { runSyntheticBuild } from "./synthetic-build.ts";
import { endOf, reset, SyntheticConnection, type SyntheticTarget } from "./synthetic-connection.ts";

/** What synthetic clients have done. */
export interface SyntheticTally {
  calls: number;
  connections: number;
  abandoned: number;
  watches: number;
}

const INFO = "/moby.buildkit.v1.Control/Info";
const LIST_WORKERS = "/moby.buildkit.v1.Control/ListWorkers";
const LISTEN_HISTORY = "/moby.buildkit.v1.Control/ListenBuildHistory";
const EMPTY = grpcMessage(new Uint8Array());

/** The beginning of a TLS record that holds a ClientHello of 512 octets, which do not come (RFC 8446 §5.1). */
const HALF_HELLO = Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc);

/** Loops that run synthetic builds. */
const BUILDERS = 3;

/** Clients that are none of BuildKit's, for as long as the run lasts: calls, watches, resets, and builds without work. */
export class SyntheticLoad {
  readonly tally: SyntheticTally = { calls: 0, connections: 0, abandoned: 0, watches: 0 };
  readonly builds: RanBuild[] = [];
  readonly #target: SyntheticTarget;
  readonly #loops: Promise<void>[];

  constructor(target: SyntheticTarget, seed: number, ending: AbortSignal) {
    this.#target = target;
    const course = (number: number) => new Course(seed + number, ending);
    this.#loops = [
      this.#call(course(1), false),
      this.#call(course(2), true),
      this.#comeAndGo(course(3)),
      this.#abandon(course(4)),
      this.#watch(course(5)),
      ...Array.from({ length: BUILDERS }, (_, index) => this.#build(course(10 + index))),
    ];
  }

  /** Resolves when all clients have left; rejects where one could not do what it wanted. */
  async ended(): Promise<void> {
    await Promise.all(this.#loops);
  }

  /** One client that stays, and calls again and again; some calls it leaves. */
  async #call(course: Course, isTls: boolean): Promise<void> {
    const connection = await this.#connect(isTls);
    while (!course.isOver) {
      const path = course.pick({ [OTHER_PATH]: 6, [INFO]: 3, [LIST_WORKERS]: 1 });
      const stream = connection.call({ path, body: EMPTY });
      const ended = endOf(stream);
      if (course.chance(0.2)) reset(stream);
      await ended;
      this.tally.calls++;
      await course.pause(10, 90);
    }
    await connection.close("politely");
  }

  /** Clients that call once and go. */
  async #comeAndGo(course: Course): Promise<void> {
    while (!course.isOver) {
      const connection = await this.#connect(course.chance(0.5));
      const asked = connection.ask({ path: course.pick({ [OTHER_PATH]: 1, [INFO]: 1 }), body: EMPTY });
      if (course.chance(0.7)) await asked;
      await connection.close(course.chance(0.5) ? "politely" : "at once");
      this.tally.calls++;
      await course.pause(100, 500);
    }
  }

  /** Clients that never come to say what they want. */
  async #abandon(course: Course): Promise<void> {
    const port = Number(this.#target.authority.split(":").at(-1));
    const beginnings = {
      nothing: Buffer.alloc(0),
      "half a hello": HALF_HELLO,
      "half a preface": CLIENT_PREFACE.subarray(0, 9),
    };
    while (!course.isOver) {
      const socket = connectTcp(port, "127.0.0.1");
      socket.on("error", () => {});
      const beginning = beginnings[course.pick({ nothing: 1, "half a hello": 1, "half a preface": 1 })];
      if (beginning.length > 0) socket.write(beginning);
      await course.pause(200, 2_000);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      if (!socket.closed) {
        socket.destroy();
        await closed;
      }
      this.tally.abandoned++;
    }
  }

  /** Clients that follow the history, or the progress of a build that nobody knows, and leave. */
  async #watch(course: Course): Promise<void> {
    while (!course.isOver) {
      const connection = await this.#connect(course.chance(0.5));
      const history = connection.call({ path: LISTEN_HISTORY, body: EMPTY });
      const historyEnded = endOf(history);
      const statusEnded = endOf(connection.call({ path: STATUS, body: statusMessage("no-such-build") }));
      await course.pause(500, 8_000);
      if (course.chance(0.5)) {
        reset(history);
        await historyEnded;
      }
      await connection.close("at once");
      await Promise.all([historyEnded, statusEnded]);
      this.tally.watches++;
    }
  }

  async #build(course: Course): Promise<void> {
    while (!course.isOver) {
      const build = await runSyntheticBuild(course, this.#target);
      this.tally.connections++;
      if (build) this.builds.push(build);
      await course.pause(50, 600);
    }
  }

  async #connect(isTls: boolean): Promise<SyntheticConnection> {
    this.tally.connections++;
    return await SyntheticConnection.open(this.#target, isTls);
  }
}
