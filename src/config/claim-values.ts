import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** What can be said of who is building. */
export const CLAIM_NAMES = ["repository", "workflow", "runId", "job", "namespace", "pod", "workload"] as const;

/** One thing that is said. */
export interface NamedClaim {
  readonly name: (typeof CLAIM_NAMES)[number];
  /** 1 to 256 characters. */
  readonly text: string;
}

/** Claims, each `name=text`, no name twice. */
export function claimList() {
  const label = "name=text";
  const write = ({ name, text }: NamedClaim) => `${name}=${text}`;
  return list(value(label, readClaim, write), { label, writeItem: write }, ({ name }) => [`name ${quote(name)}`]);
}

function readClaim(input: unknown): NamedClaim {
  const [, written, text] = (typeof input === "string" && /^(\w+)=(.{1,256})$/.exec(input)) || [];
  const name = CLAIM_NAMES.find((known) => known === written);
  if (name === undefined || text === undefined) {
    throw new Error(`not a claim: ${quote(input)} (write NAME=TEXT with one of ${CLAIM_NAMES.join(", ")})`);
  }
  return { name, text };
}
