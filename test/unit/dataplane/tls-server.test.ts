import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TlsMaterial } from "../../../src/base/tls-material.ts";
import type { ClientCertificate } from "../../../src/dataplane/client-certificate.ts";
import { TlsServer } from "../../../src/dataplane/tls-server.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type IssuedCertificate, TestAuthority } from "../../support/lab/certificates.ts";

const authority = new TestAuthority();
const foreign = new TestAuthority("somebody else");
const server = authority.issue({ commonName: "gateway", names: ["gateway.test"] });

/** Certificates that a test replaces. */
class Replaceable implements TlsMaterial {
  readonly #listeners: (() => void)[] = [];
  ca: Buffer | undefined;
  cert: Buffer;
  key: Buffer;

  constructor(pair: IssuedCertificate, ca?: string) {
    this.ca = ca === undefined ? undefined : Buffer.from(ca);
    this.cert = Buffer.from(pair.cert);
    this.key = Buffer.from(pair.key);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.push(listener);
    return () => {};
  }

  replace(pair: IssuedCertificate, ca?: string): void {
    Object.assign(this, new Replaceable(pair, ca));
    for (const listener of this.#listeners) listener();
  }
}

/** A client that has made its handshake, and what the server thinks of it. */
interface Handshake {
  readonly client: TLSSocket;
  /** What the server has given it to resume by. */
  readonly sessions: readonly Buffer[];
  readonly certificate: ClientCertificate;
}

async function listen(material: TlsMaterial) {
  const waiting: ((certificate: ClientCertificate) => void)[] = [];
  const failures: string[] = [];
  const clock = new FakeClock();
  const tls = new TlsServer({
    material,
    clock,
    handshakeTimeoutMs: 10_000,
    onSecure: (socket, certificate) => {
      socket.on("error", () => {});
      onTestFinished(() => void socket.destroy());
      socket.write("hello");
      socket.on("data", (bytes) => socket.write(bytes));
      waiting.shift()?.(certificate);
    },
    onFailed: (_socket, reason) => failures.push(reason),
  });
  onTestFinished(() => tls.close());
  const listener = createServer((socket) => tls.accept(socket)).listen(0, "127.0.0.1");
  onTestFinished(() => void listener.close());
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const shake = async (options: ConnectionOptions = {}): Promise<Handshake> => {
    const certificate = new Promise<ClientCertificate>((resolve) => waiting.push(resolve));
    const client = connect({ port, host: "127.0.0.1", servername: "gateway.test", ca: authority.cert, ...options });
    const sessions: Buffer[] = [];
    client.on("session", (session) => sessions.push(session));
    client.on("error", () => {});
    onTestFinished(() => void client.destroy());
    await once(client, "data");
    // Tickets come with the first bytes, and are told of a little later.
    client.write("again");
    await once(client, "data");
    return { client, sessions, certificate: await certificate };
  };
  return { shake, failures, clock };
}

describe("a client that is asked for a certificate", () => {
  const material = () => new Replaceable(server, authority.cert);

  test("is known by the names of the one that it shows", async () => {
    const { shake } = await listen(material());
    const pair = authority.issue({ commonName: "runner", names: ["spiffe://cluster.test/runner"] });
    const { certificate } = await shake(pair);
    expect(certificate).toEqual({ t: "accepted", names: ["uri:spiffe://cluster.test/runner", "cn:runner"] });
  });

  test("is told what is missing, or what is wrong with it", async () => {
    const { shake } = await listen(material());
    const past = new Date(Date.now() - 3_600_000);
    const future = new Date(Date.now() + 3_600_000);
    const cases: [string, IssuedCertificate | undefined][] = [
      ["no client certificate issued by CN=test authority was shown (tls.clientCa)", undefined],
      [
        "the client certificate cn:stranger, issued by CN=somebody else, is not trusted: its issuer is not in tls.clientCa",
        foreign.issue({ commonName: "stranger" }),
      ],
      [
        "the client certificate cn:old, issued by CN=test authority, is not trusted: it has expired",
        authority.issue({ commonName: "old", notBefore: new Date(past.getTime() - 3_600_000), notAfter: past }),
      ],
      [
        "the client certificate cn:new, issued by CN=test authority, is not trusted: it is not valid yet",
        authority.issue({ commonName: "new", notBefore: future }),
      ],
    ];
    for (const [reason, pair] of cases) expect((await shake(pair)).certificate).toEqual({ t: "refused", reason });
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("cannot resume its way past that with %s", async (version) => {
    const { shake } = await listen(material());
    const first = await shake({ minVersion: version, maxVersion: version });
    expect(first.certificate.t).toBe("refused");
    for (const session of [...first.sessions, first.client.getSession()!]) {
      const { certificate } = await shake({ session, minVersion: version, maxVersion: version });
      expect(certificate.t).toBe("refused");
    }
  });

  test("is refused once its authority is not trusted any more, also with a session from before", async () => {
    const current = material();
    const { shake } = await listen(current);
    const pair = authority.issue({ commonName: "runner" });
    const before = await shake(pair);
    expect(before.certificate.t).toBe("accepted");
    const sessions = [...before.sessions, before.client.getSession()!];
    current.replace(server, foreign.cert);
    expect((await shake(pair)).certificate.t).toBe("refused");
    for (const session of sessions) expect((await shake({ ...pair, session })).certificate.t).toBe("refused");
    expect((await shake(foreign.issue({ commonName: "runner" }))).certificate.t).toBe("accepted");
    expect(before.client.destroyed).toBe(false);
  });
});

test("a new certificate is shown to new clients, and old connections stay", async () => {
  const current = new Replaceable(server);
  const { shake } = await listen(current);
  const before = await shake();
  expect(before.client.getPeerCertificate().subject.CN).toBe("gateway");
  expect(before.certificate).toEqual({ t: "accepted", names: [] });
  current.replace(authority.issue({ commonName: "renewed", names: ["gateway.test"] }));
  expect((await shake()).client.getPeerCertificate().subject.CN).toBe("renewed");
  expect(before.client.destroyed).toBe(false);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a session is resumed by its ticket with %s, but not once the keys of tickets were replaced",
  async (version) => {
    const { shake, clock } = await listen(new Replaceable(server));
    const options = { minVersion: version, maxVersion: version };
    const resumed = async (session: Buffer) => (await shake({ ...options, session })).client.isSessionReused();
    const [session] = (await shake(options)).sessions as [Buffer];
    expect(await resumed(session)).toBe(true);
    for (let hour = 0; hour < 2; hour++) {
      const [before] = (await shake(options)).sessions as [Buffer];
      clock.advance(3_600_000);
      expect(await resumed(before)).toBe(false);
    }
    expect(await resumed(session)).toBe(false);
  },
);

test("TLS below 1.2 is not spoken", async () => {
  const { shake, failures } = await listen(new Replaceable(server));
  const old = shake({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
  await expect(old).rejects.toThrow();
  expect(failures).toHaveLength(1);
});
