import type { HeaderField } from "../http2/header-field.ts";
import { promisedContentBytes } from "../http2/header-rules.ts";

/** What was found out about a header list. */
interface Found {
  readonly isSound: boolean;
  /** See {@link promisedContentBytes}. */
  readonly contentBytes: number;
}

const MALFORMED: Found = { isSound: false, contentBytes: -1 };

/**
 * Header lists of one kind that were looked at before. Lists that repeat to the
 * octet are the same object, and calls of one method repeat theirs.
 */
export class SoundLists {
  readonly #findFault: (fields: readonly HeaderField[]) => string | undefined;
  readonly #found = new WeakMap<readonly HeaderField[], Found>();

  /** `findFault` says what makes a list malformed, or `undefined`. */
  constructor(findFault: (fields: readonly HeaderField[]) => string | undefined) {
    this.#findFault = findFault;
  }

  /** What is known of a list, or found out now. */
  look(fields: readonly HeaderField[]): Found {
    const known = this.#found.get(fields);
    if (known) return known;
    const found =
      this.#findFault(fields) === undefined ? { isSound: true, contentBytes: promisedContentBytes(fields) } : MALFORMED;
    this.#found.set(fields, found);
    return found;
  }
}
