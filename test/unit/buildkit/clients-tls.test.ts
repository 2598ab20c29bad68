import { ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { TlsMaterial } from "../../../src/base/tls-material.ts";
import { failureText } from "../../../src/buildkit/call-failure.ts";
import { ReplicaClient } from "../../../src/buildkit/replica-client.ts";
import { GrpcReplica } from "../../support/grpc-replica.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const authority = new TestAuthority();
const ca = Buffer.from(authority.cert);

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A replica whose certificate carries `names`, and the outcome of a call to it with `tls`. */
async function callReplica(names: string[], tls: TlsMaterial | undefined, asksForCertificate = false): Promise<string> {
  const { cert, key } = authority.issue({ commonName: "replica", names });
  const credentials = ServerCredentials.createSsl(
    ca,
    [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }],
    asksForCertificate,
  );
  const replica = await GrpcReplica.start({}, { credentials });
  cleanups.push(() => replica.kill());
  const client = new ReplicaClient({ address: replica.address, ...(tls && { tls }) });
  cleanups.push(() => client.close());
  return await client.info(5_000).then(
    ({ value }) => `answered: ${value?.version}`,
    (error) => failureText(error, 5_000),
  );
}

let own: { cert: Buffer; key: Buffer };
beforeAll(() => {
  const { cert, key } = authority.issue({ commonName: "gateway" });
  own = { cert: Buffer.from(cert), key: Buffer.from(key) };
});

test("a replica's certificate must carry its address", async () => {
  expect(await callReplica(["127.0.0.1"], { ca })).toBe("answered: v0.25.2");
  expect(await callReplica(["10.0.0.1"], { ca })).toContain("127.0.0.1 is not in the cert's list");
});

test("a configured name takes the address's place", async () => {
  expect(await callReplica(["buildkitd.internal"], { ca, servername: "buildkitd.internal" })).toBe("answered: v0.25.2");
  expect(await callReplica(["127.0.0.1"], { ca, servername: "buildkitd.internal" })).toContain("buildkitd.internal");
});

test("a certificate of an authority that is not trusted is refused", async () => {
  const other = Buffer.from(new TestAuthority("another authority").cert);
  expect(await callReplica(["127.0.0.1"], { ca: other })).toMatch(/unable to verify|self-signed|issuer/);
});

test("our own certificate is shown to a replica that asks for one", async () => {
  expect(await callReplica(["127.0.0.1"], { ca, ...own }, true)).toBe("answered: v0.25.2");
  expect(await callReplica(["127.0.0.1"], { ca }, true)).not.toContain("answered");
});

test("cleartext to a TLS port fails with a reason", async () => {
  expect(await callReplica(["127.0.0.1"], undefined)).toBe("it closes the connection before it speaks HTTP/2");
});
