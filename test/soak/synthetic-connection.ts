import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

/** Where synthetic clients connect. */
export interface SyntheticTarget {
  /** `127.0.0.1:port` */
  readonly authority: string;
  /** PEM, for those that speak TLS. */
  readonly ca: string;
  readonly servername: string;
}

/** How a synthetic call ended. */
export interface SyntheticEnd {
  /** Of gRPC; `undefined` where none was said. */
  readonly status: number | undefined;
  readonly message: string;
}

/** What a call brings along. */
export interface SyntheticCall {
  readonly path: string;
  readonly body?: Uint8Array;
  /** Repeated ones are lists. */
  readonly fields?: Readonly<Record<string, string | readonly string[]>>;
  /** Do not end the request. */
  readonly isOpen?: boolean;
}

const CONNECT_TIMEOUT_MS = 20_000;

/** An HTTP/2 connection of a client that is none of BuildKit's: it calls what it likes, and leaves when it likes. */
export class SyntheticConnection {
  readonly #session: ClientHttp2Session;
  readonly #open = new Set<ClientHttp2Stream>();

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /** Connect and wait for the other side's SETTINGS. Rejects after 20 s. */
  static async open({ authority, ca, servername }: SyntheticTarget, isTls: boolean): Promise<SyntheticConnection> {
    const session = isTls ? connect(`https://${authority}`, { ca, servername }) : connect(`http://${authority}`);
    try {
      await once(session, "remoteSettings", { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    } catch (cause) {
      session.destroy();
      throw new Error("a synthetic client could not connect", { cause });
    }
    // What becomes of its calls says all there is to say.
    session.on("error", () => {});
    return new SyntheticConnection(session);
  }

  /** Begin a call. Its end is {@link endOf}'s. */
  call({ path, body, fields = {}, isOpen = false }: SyntheticCall): ClientHttp2Stream {
    const stream = this.#session.request(
      {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...(fields as Record<string, string | string[]>),
      },
      { endStream: false },
    );
    this.#open.add(stream);
    stream.on("error", () => {}).on("close", () => this.#open.delete(stream));
    if (body) stream.write(body);
    if (!isOpen) stream.end();
    return stream;
  }

  /** Call and wait for the end. */
  async ask(call: SyntheticCall): Promise<SyntheticEnd> {
    return await endOf(this.call(call));
  }

  /** Leave all calls and say goodbye; or break off. */
  async close(how: "politely" | "at once"): Promise<void> {
    if (this.#session.destroyed) return;
    const closed = closeOf(this.#session);
    if (how === "politely") {
      for (const stream of this.#open) reset(stream);
      this.#session.close();
    } else {
      this.#session.destroy();
    }
    await closed;
  }
}

/** Leave one call. */
export function reset(stream: ClientHttp2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
}

/** How a call ends; what it brings is read and forgotten. */
export async function endOf(stream: ClientHttp2Stream): Promise<SyntheticEnd> {
  let status: number | undefined;
  let message = "";
  const read = (fields: Readonly<Record<string, unknown>>) => {
    if (fields["grpc-status"] === undefined) return;
    status = Number(fields["grpc-status"]);
    message = decodeURIComponent(String(fields["grpc-message"] ?? ""));
  };
  stream.on("response", read).on("trailers", read).resume();
  if (!stream.destroyed) await closeOf(stream);
  return { status, message };
}

/** Resolves when it is closed, however: an error is followed by that, too. */
function closeOf(emitter: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once("close", resolve));
}
