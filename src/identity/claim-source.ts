import { statSync } from "node:fs";
import { readBoundedNow } from "../base/bounded-file.ts";
import type { Logger } from "../base/log.ts";
import { errorText } from "../base/system-error.ts";
import { type Claim, writeClaim } from "./claim.ts";
import { readJobEnvironment } from "./github.ts";

/** Largest environment of a job that is read. Linux gives a process 2 MiB at most for all of it (execve(2)). */
const MAX_BYTES = 2 * 1_024 * 1_024;

/** Where a sidecar knows from who is building. */
export interface ClaimSourceOptions {
  /** What it was told at its start. */
  readonly claim: Claim;
  /** File with the job's environment, which wins over that. It may come and change at any time. */
  readonly path: string | undefined;
  readonly log: Logger;
}

/** What a sidecar says of its clients. */
export class ClaimSource {
  readonly #options: ClaimSourceOptions;
  /** The file as it was read last: its size and time tell whether it has changed. */
  #version = "";
  #text: string;
  #fault = "";

  constructor(options: ClaimSourceOptions) {
    this.#options = options;
    this.#text = writeClaim(options.claim);
  }

  /** The claim as its header carries it. A file that cannot be read leaves what was known, and is logged once. */
  text(): string {
    const { path, claim, log } = this.#options;
    if (path === undefined) return this.#text;
    try {
      const stat = statSync(path, { throwIfNoEntry: false });
      const version = stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : "";
      if (version !== this.#version) {
        this.#text = writeClaim({
          ...claim,
          ...(stat && readJobEnvironment(readBoundedNow(path, MAX_BYTES).toString("utf8"))),
        });
        this.#version = version;
      }
      this.#fault = "";
    } catch (error) {
      const fault = errorText(error);
      if (fault !== this.#fault) log.warn({ path, reason: fault }, "identity file cannot be read");
      this.#fault = fault;
    }
    return this.#text;
  }
}
