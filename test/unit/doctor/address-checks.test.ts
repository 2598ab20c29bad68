import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { ServerCredentials, status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { checkAddress } from "../../../src/doctor/address-checks.ts";
import type { Target } from "../../../src/doctor/target.ts";
import { settingsFrame } from "../../../src/http2/settings.ts";
import { GrpcReplica, type GrpcReplicaBehaviour, refusal } from "../../support/grpc-replica.ts";
import { type CertificateOptions, type IssuedCertificate, TestAuthority } from "../../support/lab/certificates.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { listen, ownOf, resultsOf, serve, target, textOf } from "./doctor-rig.ts";

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const LIFE = { notAfter: inDays(365) };
const SERVER: CertificateOptions = { commonName: "buildkit", names: ["localhost", "127.0.0.1"], ...LIFE };
const authority = new TestAuthority("sonda-red", LIFE);
const stranger = new TestAuthority("stranger", LIFE);
const serverCertificate = authority.issue(SERVER);
const runner = authority.issue({ commonName: "runner", ...LIFE });

const LOCALHOST = "localhost";

function check(asked: Target, clock: Clock = systemClock) {
  return checkAddress({ target: asked, clock, deadlineMs: clock.nowMs() + 8_500 });
}

async function replica(
  behaviour: Partial<GrpcReplicaBehaviour> = {},
  tls?: { readonly server: IssuedCertificate; readonly clientCa?: string; readonly intermediates?: string },
) {
  const pairs = tls && [
    { cert_chain: Buffer.from(tls.server.cert + (tls.intermediates ?? "")), private_key: Buffer.from(tls.server.key) },
  ];
  const ca = tls?.clientCa === undefined ? null : Buffer.from(tls.clientCa);
  const credentials = pairs ? ServerCredentials.createSsl(ca, pairs, ca !== null) : ServerCredentials.createInsecure();
  const started = await GrpcReplica.start(behaviour, { credentials });
  onTestFinished(() => started.kill());
  return started;
}

describe("a server in the clear", () => {
  test("is well where all answers", async () => {
    const { address } = await replica();
    const findings = await check(target({ ...address, host: LOCALHOST }));
    expect(resultsOf(findings)).toEqual({
      address: "ok",
      "name resolution": "ok",
      connect: "ok",
      "TLS or cleartext": "ok",
      chain: "skipped",
      name: "skipped",
      ALPN: "skipped",
      "client certificate": "skipped",
      "HTTP/2": "ok",
      "gRPC health": "ok",
      Info: "ok",
      ListWorkers: "ok",
    });
    expect(textOf(findings, "name resolution")).toMatch(/^localhost is 127\.0\.0\.1 \(IPv4\), in \d+ ms$/);
    expect(textOf(findings, "Info")).toContain("BuildKit v0.25.2");
    expect(textOf(findings, "ListWorkers")).toBe(
      "1 worker of a daemon itself, not of a gateway; builds for linux/amd64, linux/arm/v7",
    );
  });

  test("without a health service is well, and one that says NOT_SERVING is not", async () => {
    const dockerd = await check(target((await replica({ health: undefined })).address));
    expect(textOf(dockerd, "gRPC health")).toBe("gRPC answers; it serves no grpc.health, like dockerd");
    const down = await check(target((await replica({ health: "NOT_SERVING" })).address));
    expect(textOf(down, "gRPC health")).toMatch(/^NOT_SERVING \| /);
    expect(resultsOf(down).Info).toBe("ok");
  });

  test("that is asked for TLS is told so, and looked at all the same", async () => {
    const findings = await check(target((await replica()).address, { authorities: [authority.cert] }));
    expect(textOf(findings, "TLS or cleartext")).toMatch(
      /^TLS is asked for, and the port speaks HTTP\/2 in the clear \| /,
    );
    expect(resultsOf(findings).ListWorkers).toBe("ok");
  });

  test("that takes no stream at all cannot build", async () => {
    const address = await serve((socket) => socket.write(settingsFrame([[0x3, 0]])));
    expect(textOf(await check(target(address)), "HTTP/2")).toMatch(/^0 streams at once, .* \| /);
  });
});

describe("names and addresses", () => {
  test("a name that is not known ends it there", async () => {
    const lookup = () => Promise.reject(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }));
    const findings = await check(target({ t: "tcp", host: "buildkit.nowhere", port: 1234 }, { lookup }));
    expect(textOf(findings, "name resolution")).toMatch(
      /^buildkit\.nowhere has no address \(ENOTFOUND\) \| check the name/,
    );
    expect(textOf(findings, "connect")).toBe("needs name resolution");
  });

  test("a resolver that does not work is told apart from a name that is not known", async () => {
    const lookup = () => Promise.reject(Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" }));
    const findings = await check(target({ t: "tcp", host: "buildkit", port: 1234 }, { lookup }));
    expect(textOf(findings, "name resolution")).toMatch(/could not be looked up: EAI_AGAIN \| check the resolver/);
  });

  test("of several addresses those that do not answer are a warning", async () => {
    const { address } = await replica();
    const lookup = async () => [
      { address: "127.0.0.9", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ];
    const findings = await check(target({ ...address, host: "buildkit" }, { lookup }));
    expect(textOf(findings, "connect")).toMatch(
      /127\.0\.0\.9:\d+ cannot be reached: connection refused; 127\.0\.0\.1:\d+ answers in/,
    );
    expect(resultsOf(findings)).toMatchObject({ connect: "warning", ListWorkers: "ok" });
  });

  test("a port where nothing listens, and a socket that is not there", async () => {
    const server = await replica();
    server.kill();
    expect(textOf(await check(target(server.address)), "connect")).toMatch(
      /connection refused \| nothing listens there/,
    );
    const socket = await check(target({ t: "unix", path: "/nonexistent/buildkitd.sock" }));
    expect(textOf(socket, "connect")).toMatch(/no such file or directory \| no such socket/);
  });
});

describe("a server in TLS", () => {
  const trusting = { authorities: [authority.cert] };

  test("is well where its certificate is trusted, and asks for none of the client", async () => {
    const { address } = await replica({}, { server: serverCertificate });
    const findings = await check(target({ ...address, host: LOCALHOST }, trusting));
    expect(Object.values(resultsOf(findings))).toEqual(Array(12).fill("ok"));
    expect(textOf(findings, "TLS or cleartext")).toBe("TLS (TLSv1.3)");
    expect(textOf(findings, "chain")).toMatch(
      /^1 certificate sent, trusted by ca\.pem \(1 certificate\); expires on \S+, in 364 days$/,
    );
    expect(textOf(findings, "client certificate")).toBe("the server asks for none; none is given");
  });

  test("that is spoken to in the clear is told so", async () => {
    const { address } = await replica({}, { server: serverCertificate });
    const findings = await check(target(address));
    expect(textOf(findings, "TLS or cleartext")).toMatch(
      /^cleartext is asked for, and the port speaks TLSv1\.3 \| give --ca/,
    );
    expect(textOf(findings, "chain")).toMatch(/CN=sonda-red; trusted here: ca.pem \(0 certificates\) \| /);
    expect(resultsOf(findings)["gRPC health"]).toBe("skipped");
  });

  const intermediate = new TestAuthority("sonda-red issuing", { ...LIFE, issuer: authority });
  test.each<[string, IssuedCertificate, string | undefined, RegExp]>([
    ["an unknown authority", stranger.issue(SERVER), undefined, /CN=stranger.* \| /],
    [
      "a missing intermediate",
      intermediate.issue(SERVER),
      undefined,
      /^it sends only its own certificate.*sonda-red issuing.* \| let the server send its intermediate/,
    ],
    [
      "an expired certificate",
      authority.issue({ ...SERVER, notBefore: inDays(-9), notAfter: inDays(-2) }),
      undefined,
      /^expired on .*buildkit.* \| renew/,
    ],
    [
      "one that is not valid yet",
      authority.issue({ ...SERVER, notBefore: inDays(2) }),
      undefined,
      /^not valid before .* \| check this machine's clock/,
    ],
  ])("with %s is not trusted, and what is missing is named", async (_what, server, intermediates, told) => {
    const { address } = await replica({}, { server, ...(intermediates !== undefined && { intermediates }) });
    const findings = await check(target({ ...address, host: LOCALHOST }, trusting));
    expect(textOf(findings, "chain")).toMatch(told);
    expect(resultsOf(findings)).toMatchObject({ chain: "failure", name: "ok", "gRPC health": "skipped" });
  });

  test("with its intermediate is trusted, and a client-only certificate is OpenSSL's to refuse", async () => {
    const whole = { server: intermediate.issue(SERVER), intermediates: intermediate.cert };
    const { address } = await replica({}, whole);
    expect(resultsOf(await check(target({ ...address, host: LOCALHOST }, trusting)))).toMatchObject({
      chain: "ok",
      Info: "ok",
    });
    const clientOnly = await replica({}, { server: authority.issue({ ...SERVER, isClientOnly: true }) });
    const findings = await check(target({ ...clientOnly.address, host: LOCALHOST }, trusting));
    expect(textOf(findings, "chain")).toMatch(/^OpenSSL refuses the chain: INVALID_PURPOSE \| /);
  });

  test("that is named otherwise is told apart from its chain, and --servername mends it", async () => {
    const { address } = await replica(
      {},
      { server: authority.issue({ commonName: "b", names: ["buildkit.test"], ...LIFE }) },
    );
    const wrong = await check(target({ ...address, host: LOCALHOST }, trusting));
    expect(textOf(wrong, "name")).toMatch(/not for localhost, but for DNS:buildkit\.test \| /);
    expect(resultsOf(wrong)).toMatchObject({ chain: "ok", name: "failure", Info: "skipped" });
    const named = await check(target(address, { ...trusting, servername: "buildkit.test" }));
    expect(resultsOf(named)).toMatchObject({ name: "ok", Info: "ok" });
  });

  test("that ends soon is a warning", async () => {
    const { address } = await replica({}, { server: authority.issue({ ...SERVER, notAfter: inDays(3.5) }) });
    const findings = await check(target({ ...address, host: LOCALHOST }, trusting));
    expect(textOf(findings, "chain")).toMatch(/in 3 days: CN=buildkit \| renew that certificate now$/);
    expect(resultsOf(findings)).toMatchObject({ chain: "warning", Info: "ok" });
  });

  test("that chooses no protocol by ALPN is a warning", async () => {
    const server = createTlsServer({ ...serverCertificate }, (socket) => socket.on("error", () => {}).end());
    const address = await listen(server.on("tlsClientError", () => {}));
    const findings = await check(target({ ...address, host: LOCALHOST }, trusting));
    expect(resultsOf(findings)).toMatchObject({ ALPN: "warning", "HTTP/2": "failure" });
  });
});

describe("a server that asks for a client certificate", () => {
  const asking = { server: serverCertificate, clientCa: authority.cert };
  const of = async (own: Target["own"], tls = asking) => {
    const { address } = await replica({}, tls);
    return check(target({ ...address, host: LOCALHOST }, { authorities: [authority.cert], own }));
  };

  test("takes the right one", async () => {
    const findings = await of(ownOf(runner));
    expect(Object.values(resultsOf(findings))).toEqual(Array(12).fill("ok"));
    expect(textOf(findings, "client certificate")).toBe(
      "the server asks for one of CN=sonda-red; given: CN=runner, issued by CN=sonda-red; taken",
    );
  });

  test("and is given none says which authority it asks for", async () => {
    const findings = await of({});
    expect(textOf(findings, "client certificate")).toMatch(
      /the server asks for one of CN=sonda-red; none is given \| give --cert and --key of a certificate of that authority/,
    );
    expect(resultsOf(findings)).toMatchObject({ "client certificate": "failure", Info: "skipped" });
  });

  test.each([
    [
      "somebody else's",
      stranger.issue({ commonName: "runner", ...LIFE }),
      /given: CN=runner, issued by CN=stranger \| .*tls\.clientCa/,
    ],
    [
      "an expired one",
      authority.issue({ commonName: "runner", notBefore: inDays(-9), notAfter: inDays(-2) }),
      /CN=sonda-red.*\| renew that certificate/,
    ],
  ])("and is given %s says why it is not taken", async (_what, certificate, told) => {
    const findings = await of(ownOf(certificate));
    expect(textOf(findings, "client certificate")).toMatch(told);
    expect(resultsOf(findings)).toMatchObject({ "client certificate": "failure", Info: "skipped" });
  });

  test("in TLS 1.2, where the handshake itself fails, is told from a port without TLS", async () => {
    const options = { ...serverCertificate, ca: authority.cert, requestCert: true, maxVersion: "TLSv1.2" } as const;
    const address = await listen(createTlsServer(options).on("tlsClientError", () => {}));
    const findings = await check(target({ ...address, host: LOCALHOST }, { authorities: [authority.cert] }));
    expect(textOf(findings, "TLS or cleartext")).toMatch(
      /^it speaks TLS, and ends the handshake: ERR_SSL_\S+ALERT\w+ \| give --cert and --key/,
    );
  });

  test("and lets in whom it refuses, to tell why, is believed", async () => {
    const said = "no client certificate issued by CN=sonda-red was shown (tls.clientCa)";
    const behaviour = { refusal: refusal(status.UNAUTHENTICATED, said) };
    const refusing = await replica(behaviour, { server: serverCertificate });
    const findings = await check(target({ ...refusing.address, host: LOCALHOST }, { authorities: [authority.cert] }));
    expect(textOf(findings, "client certificate")).toMatch(
      /^refused: no client certificate issued by CN=sonda-red was shown/,
    );
  });
});

/** Servers that speak no HTTP/2, or no sense. */
const ODD: readonly (readonly [what: string, serve: (socket: Socket) => void, told: RegExp])[] = [
  ["closes at once", (socket) => socket.destroy(), /neither TLS|closes/],
  ["says nothing", () => {}, /says nothing/],
  ["sends garbage", (socket) => socket.write(Buffer.alloc(200, "rubbish ")), /neither in TLS nor in HTTP\/2: rubbish/],
  ["sends one byte", (socket) => socket.write("x"), /neither/],
  [
    "answers in HTTP/1",
    (socket) => socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    /in HTTP\/1: HTTP\/1\.1 400 Bad Request/,
  ],
  [
    "begins HTTP/1 and never ends its line",
    (socket) => socket.write(`HTTP/1.1 ${"a".repeat(5_000)}`),
    /in HTTP\/1: HTTP\/1\.1 aaa/,
  ],
  ["sends an alert", (socket) => socket.write(Buffer.from([0x15, 3, 1, 0, 2, 2, 0x28])), /TLS/],
  ["sends a record and no more", (socket) => socket.write(Buffer.from([0x16, 3, 3, 0x40, 0])), /TLS/],
  [
    "sends a frame that is too large",
    (socket) => socket.write(Buffer.from([0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0])),
    /neither/,
  ],
  [
    "sends escape sequences",
    (socket) => socket.write("\u001b[31m\u001b]0;owned\u0007 and more"),
    /neither in TLS nor in HTTP\/2: \?\[31m/,
  ],
];

test.each(ODD)("a server that %s is told in one line", async (_what, onConnection, told) => {
  const findings = await check(target(await serve(onConnection)));
  expect(textOf(findings, "TLS or cleartext")).toMatch(told);
  expect(resultsOf(findings).ListWorkers).toBe("skipped");
  for (const { outcome } of findings) expect(outcome.seen).not.toMatch(/\n|\p{Cc}|\bat .*:\d+:\d+/u);
});

test("servers that send anything at all are told without a throw", async () => {
  const random = seededRandom(11);
  const starts = ["", "HTTP/1.1 ", "\u0015\u0003\u0003", "\u0016\u0003\u0003", "\0\0\u0006\u0004\0\0\0\0\0"];
  for (let round = 0; round < 40; round += 1) {
    const rubbish = Buffer.from(Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256)));
    const bytes = Buffer.concat([Buffer.from(starts[round % starts.length]!, "latin1"), rubbish]);
    const address = await serve((socket) => socket.end(bytes));
    const asked = target(address, { wantsTls: round % 2 === 0 });
    expect(resultsOf(await check(asked)).ListWorkers).toBe("skipped");
  }
});

test("a server in TLS that sends garbage is told so", async () => {
  const server = createTlsServer({ ...serverCertificate, ALPNProtocols: ["h2"] }, (socket) =>
    socket.on("error", () => {}).write(Buffer.alloc(300, "rubbish ")),
  );
  const address = await listen(server.on("tlsClientError", () => {}));
  const findings = await check(target({ ...address, host: LOCALHOST }, { authorities: [authority.cert] }));
  expect(textOf(findings, "HTTP/2")).toMatch(/^it does not speak HTTP\/2: rubbish .* \| /);
});

test("a unix socket is looked at like a port", async () => {
  const { address } = await replica();
  const path = join(mkdtempSync(join(tmpdir(), "doctor-")), "buildkitd.sock");
  const server = createServer((socket) => {
    const back = connectTcp(address).on("error", () => {});
    socket
      .on("error", () => {})
      .pipe(back)
      .pipe(socket);
  }).listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    rmSync(dirname(path), { recursive: true });
  });
  const findings = await check(target({ t: "unix", path }));
  expect(resultsOf(findings)).toMatchObject({ "name resolution": "skipped", connect: "ok", ListWorkers: "ok" });
});

test("settings that break the rules, and what comes after good ones, are told", async () => {
  const bad = await serve((socket) => socket.write(settingsFrame([[0x4, 0xffff_ffff]])));
  expect(textOf(await check(target(bad)), "HTTP/2")).toMatch(/SETTINGS_INITIAL_WINDOW_SIZE of 4294967295/);
  const rubbish = await serve((socket) => socket.write(Buffer.concat([settingsFrame([]), Buffer.alloc(5_000, 0xff)])));
  const findings = await check(target(rubbish));
  expect(resultsOf(findings)).toMatchObject({ "HTTP/2": "ok", "gRPC health": "failure", ListWorkers: "skipped" });
});

test("a server that never stops sending is not read to its end", async () => {
  let sentBytes = 0;
  const chunk = Buffer.alloc(65_536, "z");
  const address = await serve((socket) => {
    const send = () => {
      while (!socket.destroyed && socket.write(chunk)) sentBytes += chunk.length;
    };
    socket.on("drain", send);
    send();
  });
  const findings = await check(target(address));
  expect(resultsOf(findings)["TLS or cleartext"]).toBe("failure");
  // What fits into the sockets' own buffers.
  expect(sentBytes).toBeLessThan(64 * 2 ** 20);
});

test("a server that takes calls and never answers does not hold it up", async () => {
  const { address } = await replica({ isSilent: true });
  const findings = await check(target(address));
  expect(resultsOf(findings)).toMatchObject({ "HTTP/2": "ok", "gRPC health": "failure", ListWorkers: "skipped" });
});

test("when the time is up the rest is skipped", async () => {
  const { address } = await replica();
  const findings = await checkAddress({
    target: target(address),
    clock: systemClock,
    deadlineMs: systemClock.nowMs() - 1,
  });
  expect(new Set(Object.values(resultsOf(findings)))).toEqual(new Set(["skipped"]));
});
