import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { Logger } from "../base/log.ts";
import { type Claim, writeClaim } from "./claim.ts";
import { readJobEnvironment } from "./github.ts";

/** Largest environment of a job that is read; what is behind it is not. */
const MAX_BYTES = 256 * 1_024;

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
        this.#text = writeClaim({ ...claim, ...(stat && readJobEnvironment(readStart(path))) });
        this.#version = version;
      }
      this.#fault = "";
    } catch (error) {
      const fault = (error as NodeJS.ErrnoException).code ?? String(error);
      if (fault !== this.#fault) log.warn({ path, code: fault }, "identity file cannot be read");
      this.#fault = fault;
    }
    return this.#text;
  }
}

function readStart(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const content = Buffer.alloc(MAX_BYTES);
    return content.toString("utf8", 0, readSync(descriptor, content, 0, MAX_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}
