import { randomUUID, sign, X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IssuedCertificate } from "./certificates.ts";

/** What a registry's tokens say of where they come from. */
export const TOKEN_ISSUER = { issuer: "token server", service: "registry" } as const;

/**
 * Answer a registry's client with a token for whatever it asks (distribution's spec/auth/token), signed with
 * `signer`, whose key must be on P-256. Returns what was asked for: `repository:app:pull,push`.
 */
export function serveToken(signer: IssuedCertificate, request: IncomingMessage, response: ServerResponse): string[] {
  const scopes = new URL(request.url ?? "/", "https://tokens").searchParams.getAll("scope");
  // A POST asks in its body; it is refused, and the client then asks with GET.
  if (request.method !== "GET") {
    response.writeHead(405).end();
    return [];
  }
  const access = scopes.map((scope) => {
    const [type, name, actions = ""] = scope.split(":");
    return { type, name, actions: actions.split(",") };
  });
  const now = Math.floor(Date.now() / 1_000);
  const header = { typ: "JWT", alg: "ES256", x5c: [new X509Certificate(signer.cert).raw.toString("base64")] };
  const claims = {
    iss: TOKEN_ISSUER.issuer,
    aud: TOKEN_ISSUER.service,
    sub: "",
    iat: now,
    nbf: now - 60,
    exp: now + 300,
    jti: randomUUID(),
    access,
  };
  const body = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = sign("sha256", Buffer.from(body), { key: signer.key, dsaEncoding: "ieee-p1363" });
  const token = `${body}.${signature.toString("base64url")}`;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ token, access_token: token, expires_in: 300, issued_at: new Date().toISOString() }));
  return scopes;
}
