import { X509Certificate } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import type { Credentials, KubernetesAccess } from "./access.ts";

/** An API server whose address is known, and the files that hold what it takes to speak to it. */
export interface TokenAccessOptions {
  readonly server: string;
  /** File with a bearer token. Absent: none is sent. */
  readonly tokenFile?: string;
  /** File with the authorities that may have signed the server's certificate, PEM. Absent: the system's. */
  readonly caFile?: string;
  readonly namespace?: string;
}

/** Connections that are kept open to one server at most, watches included. */
const MAX_SOCKETS = 64;

/** A token is a few KiB; a bundle of authorities has at most some hundred certificates. */
const MAX_FILE_BYTES = 1 << 20;

/**
 * Access by a bearer token in a file, as every pod has it. Both files are read for
 * each request, which is every few minutes for a watch, so that they may rotate.
 *
 * Rejects with an Error that says what is wrong where the address or a file cannot be used now.
 */
export async function openTokenAccess(options: TokenAccessOptions): Promise<KubernetesAccess> {
  const { tokenFile, caFile, namespace } = options;
  const server = readServer(options);
  const isTls = server.protocol === "https:";
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const credentials = async (): Promise<Credentials> => {
    const [token, ca] = await Promise.all([
      tokenFile === undefined ? undefined : readToken(tokenFile),
      caFile === undefined ? undefined : readAuthorities(caFile),
    ]);
    return {
      agent,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(ca !== undefined && { ca }),
    };
  };
  await credentials();
  return { server, namespace, credentials, forget: () => {}, close: () => agent.destroy() };
}

function readServer({ server: text, tokenFile }: TokenAccessOptions): URL {
  const server = URL.canParse(text) ? new URL(text) : undefined;
  if (!server || !/^https?:$/.test(server.protocol) || server.username !== "" || server.search !== "") {
    throw new Error(`not an API server's address: ${JSON.stringify(text)} (write https://host:port)`);
  }
  if (server.protocol === "http:" && tokenFile !== undefined) {
    throw new Error(`a token is not sent over cleartext: ${JSON.stringify(text)} (write https://host:port)`);
  }
  return server;
}

async function readToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`no token in ${path}`);
  return token;
}

async function readAuthorities(path: string): Promise<string> {
  const text = await readText(path);
  try {
    // OpenSSL takes a file of authorities without any, and then trusts nobody.
    new X509Certificate(text);
  } catch (cause) {
    throw new Error(`no certificate in ${path}`, { cause });
  }
  return text;
}

async function readText(path: string): Promise<string> {
  const file = await readBounded(path, MAX_FILE_BYTES);
  if (file.t !== "read") throw new Error(`${path}: ${faultOf(file)}`);
  return file.bytes.toString("utf8");
}
