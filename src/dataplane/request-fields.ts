import type { HeaderField } from "../http2/header-field.ts";
import { CLAIM_HEADER } from "../identity/claim.ts";

/** What was made of a request's header list. */
interface Made {
  readonly claim: string;
  readonly fields: readonly HeaderField[];
}

/**
 * The header lists of requests as they are sent on: a claim of the client's is
 * taken out, and one of ours put in where there is one.
 *
 * Lists that are the same array stay the same array, since those are not
 * encoded again.
 */
export class RequestFields {
  readonly #made = new WeakMap<readonly HeaderField[], Made>();

  /** `claim`: what we say of the client; empty: nothing. */
  sentOn(fields: readonly HeaderField[], claim: string): readonly HeaderField[] {
    if (claim === "" && !fields.some(isClaim)) return fields;
    const known = this.#made.get(fields);
    if (known?.claim === claim) return known.fields;
    const others = fields.filter((field) => !isClaim(field));
    const made = claim === "" ? others : [...others, { name: CLAIM_HEADER, value: claim, isSensitive: false }];
    this.#made.set(fields, { claim, fields: made });
    return made;
  }
}

function isClaim({ name }: HeaderField): boolean {
  return name === CLAIM_HEADER;
}
