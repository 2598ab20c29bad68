import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type CertificateAuthority,
  createAuthority,
  type KeyPair,
  type KeyType,
  readAuthority,
} from "../../../src/trust/certificate-authority.ts";
import { encodeCertificate } from "../../../src/trust/certificate-encoding.ts";
import type { CertificatePurpose, CertificateRequest } from "../../../src/trust/certificate-request.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const DAY_MS = 86_400_000;
const NOW = new Date();
const LIFE = lifeOf(-1, 30);

function lifeOf(fromDays: number, toDays: number) {
  const day = (days: number) => new Date(NOW.getTime() + days * DAY_MS);
  return { notBefore: day(fromDays), notAfter: day(toDays) };
}

function request(purpose: CertificatePurpose, commonName = "somebody"): CertificateRequest {
  const names = [
    { t: "dns", value: "gateway.test" },
    { t: "ip", value: "10.0.0.1" },
    { t: "uri", value: "spiffe://ci/runners" },
  ] as const;
  return { commonName, purpose, names };
}

/** A handshake in which both sides say what they think of the other: its common name, or a code of OpenSSL's. */
async function handshake(ca: string, server: KeyPair, client: KeyPair) {
  const own = ({ cert, key }: KeyPair) => ({ ca, cert, key, rejectUnauthorized: false });
  const listener = createServer({ ...own(server), requestCert: true }).listen(0, "127.0.0.1");
  onTestFinished(() => void listener.close());
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ ...own(client), host: "127.0.0.1", port, servername: "gateway.test" });
  onTestFinished(() => void socket.destroy());
  const [[accepted]] = await Promise.all([once(listener, "secureConnection"), once(socket, "secureConnect")]);
  const opinion = (peer: TLSSocket) =>
    peer.authorized ? peer.getPeerCertificate().subject.CN : peer.authorizationError;
  const opinions = { ofServer: opinion(socket), ofClient: opinion(accepted as TLSSocket) };
  accepted.destroy();
  return opinions;
}

describe.each(["ec", "rsa"] as const)("an authority with %s keys", (keyType: KeyType) => {
  test("issues pairs that both sides of a handshake trust", async () => {
    const { authority, pair } = await createAuthority("sonda-red", keyType, LIFE);
    expect(authority.bundle).toBe(pair.cert);
    const server = await authority.issue(request("server", "gateway"), keyType, LIFE);
    const client = await authority.issue(request("client", "runners"), keyType, LIFE);
    expect(await handshake(authority.bundle, server, client)).toEqual({ ofServer: "gateway", ofClient: "runners" });
    const certificate = new X509Certificate(server.cert);
    expect(certificate.subjectAltName).toBe("DNS:gateway.test, IP Address:10.0.0.1, URI:spiffe://ci/runners");
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.asymmetricKeyType).toBe(keyType);
    expect(server.key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  }, 30_000);
});

describe("an authority", () => {
  let made: Promise<{ authority: CertificateAuthority; pair: KeyPair }> | undefined;
  const make = () => (made ??= createAuthority("sonda-red", "ec", LIFE));

  test("issues a pair for one purpose only", async () => {
    const { authority } = await make();
    const server = await authority.issue(request("server", "gateway"), "ec", LIFE);
    const client = await authority.issue(request("client", "runners"), "ec", LIFE);
    expect(await handshake(authority.bundle, client, server)).toEqual({
      ofServer: "INVALID_PURPOSE",
      ofClient: "INVALID_PURPOSE",
    });
  });

  test("issues nothing that outlives it", async () => {
    const { authority } = await make();
    const { notAfter } = await authority.issue(request("server"), "ec", lifeOf(-1, 400));
    expect(notAfter).toEqual(authority.notAfter);
  });

  test("that lives beyond 2049 is dated right", async () => {
    const { pair } = await createAuthority("sonda-red", "ec", lifeOf(-1, 36_500));
    expect(pair.notAfter.getFullYear()).toBe(NOW.getFullYear() + 100 - (NOW.getMonth() === 0 ? 1 : 0));
  });

  test("gives every certificate a serial number of its own", async () => {
    const { authority } = await make();
    const pairs = await Promise.all(Array.from({ length: 8 }, () => authority.issue(request("client"), "ec", LIFE)));
    const serials = pairs.map(({ cert }) => new X509Certificate(cert).serialNumber);
    expect(new Set(serials).size).toBe(8);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test("is read from its files, and issues again", async () => {
    const { authority, pair } = await make();
    const outcome = readAuthority(Buffer.from(pair.cert), Buffer.from(pair.key), NOW);
    if (outcome.t === "refused") throw new Error(outcome.reason);
    expect(outcome.authority.bundle).toBe(authority.bundle);
    const server = await outcome.authority.issue(request("server", "gateway"), "ec", LIFE);
    const client = await authority.issue(request("client", "runners"), "ec", LIFE);
    expect(await handshake(authority.bundle, server, client)).toEqual({ ofServer: "gateway", ofClient: "runners" });
  });
});

test("an authority below another one sends its certificate along, and has peers trust both", async () => {
  const root = (await createAuthority("root", "ec", LIFE)).pair;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { certificate: new X509Certificate(root.cert).raw, key: createPrivateKey(root.key) };
  const below = new X509Certificate(encodeCertificate({ authority: "below" }, privateKey, LIFE, issuer));
  const files = [`${below}${root.cert}`, privateKey.export({ type: "sec1", format: "pem" })];
  const [cert, key] = files.map((text) => Buffer.from(text));
  const outcome = readAuthority(cert!, key!, NOW);
  if (outcome.t === "refused") throw new Error(outcome.reason);
  expect(outcome.authority.bundle).toBe(`${below}${root.cert}`);
  const pair = await outcome.authority.issue(request("server"), "ec", LIFE);
  expect(pair.cert.endsWith(`-----END CERTIFICATE-----\n${below}`)).toBe(true);
  expect(new X509Certificate(pair.cert).checkIssued(below)).toBe(true);
});

describe("of an authority's files", () => {
  const file = (text: string) => Buffer.from(text);

  test("a private key in the certificate's file goes no further", async () => {
    const { pair } = await createAuthority("sonda-red", "ec", LIFE);
    const both = file(`${pair.key}${pair.cert}`);
    const outcome = readAuthority(both, both, NOW);
    expect(outcome).toMatchObject({ t: "authority", authority: { bundle: pair.cert } });
  });

  test("a certificate that may not certify, has expired, or is not valid yet is refused", async () => {
    const leaf = new TestAuthority().issue({ commonName: "leaf" });
    expect(readAuthority(file(leaf.cert), file(leaf.key), NOW)).toEqual({
      t: "refused",
      file: "cert",
      reason: "not an authority's certificate: CN=leaf",
    });
    const old = (await createAuthority("old", "ec", lifeOf(-20, -10))).pair;
    expect(readAuthority(file(old.cert), file(old.key), NOW)).toMatchObject({
      file: "cert",
      reason: expect.stringMatching(/^expired on .* GMT: CN=old$/),
    });
    const young = (await createAuthority("young", "ec", lifeOf(10, 20))).pair;
    expect(readAuthority(file(young.cert), file(young.key), NOW)).toMatchObject({
      file: "cert",
      reason: expect.stringMatching(/^not valid before .* GMT: CN=young$/),
    });
  });

  test("a key that is another's, of another kind, secret or none is refused", async () => {
    const { pair } = await createAuthority("sonda-red", "ec", LIFE);
    const refused = (key: string) => readAuthority(file(pair.cert), file(key), NOW);
    const another = (await createAuthority("another", "ec", LIFE)).pair;
    expect(refused(another.key)).toEqual({ t: "refused", file: "key", reason: "not the key of CN=sonda-red" });
    const { privateKey } = generateKeyPairSync("ed25519");
    const edwards = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const kinds = "neither RSA nor EC on P-256, P-384 or P-521: ed25519";
    expect(refused(edwards)).toEqual({ t: "refused", file: "key", reason: kinds });
    const locked = privateKey.export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "x",
    }) as string;
    const reason = "no private key in PEM, or one with a passphrase";
    for (const key of [locked, pair.cert, ""]) expect(refused(key)).toEqual({ t: "refused", file: "key", reason });
  });

  test("what is no certificate is refused", async () => {
    const { pair } = await createAuthority("sonda-red", "ec", LIFE);
    const refused = (cert: string) => readAuthority(file(cert), file(pair.key), NOW);
    const block = (base64: string) => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
    for (const cert of ["", pair.key, block("AAAA")]) {
      expect(refused(cert)).toEqual({ t: "refused", file: "cert", reason: "no certificate in PEM" });
    }
    const reason = "a certificate in it cannot be read";
    expect(refused(`${pair.cert}${block("AAAA")}`)).toEqual({ t: "refused", file: "cert", reason });
  });
});
