import { createHash, timingSafeEqual } from "node:crypto";
import { blameSetting } from "../base/blame-setting.ts";
import { readBoundedNow } from "../base/bounded-file.ts";
import { type AdminRequest, RequestFault } from "./routes.ts";

const MIN_CHARACTERS = 16;

/** Largest file that is read. */
const MAX_BYTES = 4_096;

/** The token of `admin.tokenFile`, read anew at each use, so that it can be changed while the gateway runs. */
export class AdminToken {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with an Error that names the setting where the file cannot be read or holds no token. */
  async read(): Promise<string> {
    const file = await blameSetting("admin.tokenFile", async () => readBoundedNow(this.#path, MAX_BYTES));
    const token = file.toString("latin1").trim();
    const fault = describeFault(token);
    if (fault !== undefined) throw new Error(`admin.tokenFile: no token in ${this.#path}: ${fault}`);
    return token;
  }
}

/**
 * Let a request change something, or throw its refusal: who came over the unix
 * socket may, and who carries the token.
 */
export async function authorizeChange(request: AdminRequest, token: AdminToken | undefined): Promise<void> {
  if (request.isFromOwner) return;
  if (!token) {
    throw new RequestFault(403, "changes need admin.tokenFile, or an admin.listen on a unix socket");
  }
  const [, given] = /^Bearer +(\S+)$/i.exec(request.authorization ?? "") ?? [];
  if (given === undefined || !isEqual(given, await token.read())) {
    const fault = given === undefined ? "needs the token of admin.tokenFile as Authorization: Bearer" : "wrong token";
    throw new RequestFault(401, fault, { "www-authenticate": "Bearer" });
  }
}

function describeFault(token: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(token)) return "it has characters that a header cannot carry";
  return token.length < MIN_CHARACTERS ? `shorter than ${MIN_CHARACTERS} characters` : undefined;
}

/** Takes the same time wherever the two differ. */
function isEqual(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
