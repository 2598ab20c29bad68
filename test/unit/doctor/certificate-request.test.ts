import { connect as connectTcp } from "node:net";
import { connect as connectTls, createServer } from "node:tls";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { askForRequest } from "../../../src/doctor/ask-for-request.ts";
import { readCertificateRequest } from "../../../src/doctor/certificate-request.ts";
import { describeName } from "../../../src/doctor/distinguished-name.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { listen, serve } from "./doctor-rig.ts";

const authorities = ["sonda-red", "second"].map((name) => new TestAuthority(name));
const certificate = authorities[0]!.issue({ commonName: "buildkit", names: ["localhost"] });
const OPTIONS = { clock: systemClock, timeoutMs: 5_000, servername: "localhost" };

function tlsServer(more: object) {
  return listen(createServer({ ...certificate, ...more }).on("tlsClientError", () => {}));
}

test("a server's authorities are read from its handshake", async () => {
  const ca = authorities.map(({ cert }) => cert);
  const request = await askForRequest(await tlsServer({ ca, requestCert: true }), OPTIONS);
  expect(request?.t === "asked" && request.authorities.map(describeName).sort()).toEqual(["CN=second", "CN=sonda-red"]);
});

test("a server that asks for none says so, and one of TLS 1.3 only says nothing", async () => {
  expect(await askForRequest(await tlsServer({}), OPTIONS)).toEqual({ t: "not_asked" });
  const modern = await tlsServer({ ca: authorities[0]!.cert, requestCert: true, minVersion: "TLSv1.3" });
  expect(await askForRequest(modern, OPTIONS)).toBeUndefined();
});

test("a server that speaks no TLS, or hangs, says nothing", async () => {
  expect(await askForRequest(await serve((socket) => socket.end("HTTP/1.1 400\r\n\r\n")), OPTIONS)).toBeUndefined();
  expect(await askForRequest(await serve(() => {}), { ...OPTIONS, timeoutMs: 50 })).toBeUndefined();
});

/** The bytes that a server sends up to its request. */
async function recordedHandshake(): Promise<Buffer> {
  const { port } = await tlsServer({ ca: authorities.map(({ cert }) => cert), requestCert: true });
  const chunks: Buffer[] = [];
  const front = await serve((socket) => {
    const back = connectTcp(port, "127.0.0.1");
    back.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
    socket.pipe(back).pipe(socket);
  });
  // The server ends it, having been shown no certificate.
  await new Promise((resolve) => {
    connectTls({ ...front, maxVersion: "TLSv1.2", rejectUnauthorized: false }).on("error", resolve);
  });
  return Buffer.concat(chunks);
}

test("handshakes that are cut or broken anywhere are read without a throw", async () => {
  const bytes = await recordedHandshake();
  expect(readCertificateRequest(bytes)?.t).toBe("asked");
  for (let length = 0; length < bytes.length; length += 1) readCertificateRequest(bytes.subarray(0, length));
  const random = seededRandom(7);
  for (let round = 0; round < 2_000; round += 1) {
    const broken = Buffer.from(bytes);
    for (let flips = 0; flips < 4; flips += 1) broken[Math.floor(random() * 300)] = Math.floor(random() * 256);
    const request = readCertificateRequest(broken);
    if (request?.t === "asked")
      for (const name of request.authorities) expect(describeName(name).length).toBeLessThan(300);
  }
});
