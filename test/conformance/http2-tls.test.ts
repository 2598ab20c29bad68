import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, createServer, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { dial } from "../../src/dataplane/dialer.ts";
import { ReadBufferPool } from "../../src/dataplane/read-buffers.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { startWithTls } from "../support/tls-rig.ts";

const version = (name: "TLSv1.1" | "TLSv1.2" | "TLSv1.3"): ConnectionOptions => ({
  minVersion: name,
  maxVersion: name,
  // Without it OpenSSL's own policy leaves out what a test is to see refused.
  ciphers: "DEFAULT@SECLEVEL=0",
  ALPNProtocols: ["h2"],
});

/** What one end is told that asks for a new handshake; empty: it is made. */
function renegotiation(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once("error", ({ message }) => resolve(message));
    socket.renegotiate({}, (error) => resolve(error?.message ?? ""));
  });
}

describe("TLS (RFC 9113 §9.2; gRPC Security)", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)("§9.2: %s is served", async (name) => {
    const { connect } = await startWithTls();
    const socket = await connect({ ...version(name), ciphers: undefined });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([name, "h2"]);
    const client = new RawPeer(socket, "client");
    client.begin("client");
    await settled(client);
  });

  test("§9.2: a client that knows no version after TLS 1.1 is refused", async () => {
    const { connect } = await startWithTls();
    await expect(connect(version("TLSv1.1"))).rejects.toThrow(/protocol version|alert/i);
  });

  test("§3.2: a client that names h2c, which is for cleartext, is refused", async () => {
    const { connect } = await startWithTls();
    await expect(connect({ ALPNProtocols: ["h2c"] })).rejects.toThrow(/no application protocol/i);
  });

  test("§9.2.1: a client is not let negotiate anew", async () => {
    const { connect } = await startWithTls();
    const socket = await connect({ ...version("TLSv1.2"), ciphers: undefined });
    expect(await renegotiation(socket)).toMatch(/no renegotiation/i);
  });

  test("§9.2.1: a replica is not let negotiate anew", async () => {
    const authority = new TestAuthority();
    const issued = authority.issue({ commonName: "replica", names: ["127.0.0.1"] });
    const server = createServer({ ...issued, ALPNProtocols: ["h2"], maxVersion: "TLSv1.2" });
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "secureConnection");
    const { port } = server.address() as AddressInfo;
    const { stream } = dial(
      { t: "tcp", host: "127.0.0.1", port },
      { ca: Buffer.from(authority.cert) },
      new ReadBufferPool(),
    );
    stream.on("error", () => {});
    onTestFinished(() => void stream.destroy());
    const [socket] = (await accepted) as [TLSSocket];
    onTestFinished(() => void socket.destroy());
    expect(await renegotiation(socket)).toMatch(/no renegotiation/i);
  });

  test.each(["ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256"])(
    "§9.2.2: a client that has no other cipher suite than %s is refused",
    async (ciphers) => {
      const { connect } = await startWithTls();
      await expect(connect({ ...version("TLSv1.2"), ciphers })).rejects.toThrow(/handshake failure/i);
    },
  );

  test("§9.2.2: the cipher suite that every TLS 1.2 client of HTTP/2 has is served, with P-256", async () => {
    const { connect } = await startWithTls();
    const ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";
    const socket = await connect({ ...version("TLSv1.2"), ciphers, ecdhCurve: "P-256" });
    expect(socket.getCipher().name).toMatch(/^ECDHE-(RSA|ECDSA)-AES128-GCM-SHA256$/);
    await once(socket, "data");
  });
});
