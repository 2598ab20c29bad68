import { timingSafeEqual } from "node:crypto";
import type forgeModule from "node-forge";
import {
  childrenOf,
  type DerElement,
  DerTag,
  MalformedDer,
  octetsOf,
  oidOf,
  readElement,
  smallIntegerOf,
} from "./der.ts";

const DATA = "1.2.840.113549.1.7.1";
const ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const NESTED_BAG = "1.2.840.113549.1.12.10.1.6";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";

/** Most rounds of key derivation for one file: OpenSSL writes 2,048 and Java 10,000, and a million takes seconds. */
const MAX_ROUNDS = 1_000_000;

/** Most encrypted parts of one file. */
const MAX_PARTS = 16;

/** What a PKCS#12 file came to. */
export type Pkcs12Outcome =
  | { readonly t: "certificates"; readonly certificates: readonly Uint8Array[] }
  | { readonly t: "wrong_password" };

/** node-forge exports the ciphers of PKCS#12 without a type. */
interface PasswordBasedEncryption {
  getCipher(oid: string, params: forgeModule.asn1.Asn1, password: string): forgeModule.cipher.BlockCipher;
  generatePkcs12Key(
    password: string,
    salt: forgeModule.util.ByteStringBuffer,
    purpose: number,
    rounds: number,
    length: number,
    digest: forgeModule.md.MessageDigest,
  ): forgeModule.util.ByteStringBuffer;
}

/** Whether the structure begins as a PKCS#12 file does: version 3, then an authenticated safe. */
export function isPkcs12(bytes: Uint8Array): boolean {
  try {
    const [version, safe] = childrenOf(bytes, readElement(bytes, 0, bytes.length));
    return (
      smallIntegerOf(bytes, version) === 3 && safe !== undefined && oidOf(bytes, childrenOf(bytes, safe)[0]) === DATA
    );
  } catch {
    return false;
  }
}

/**
 * The certificates of a PKCS#12 file as their own DER (RFC 7292); its private keys are never decrypted.
 *
 * The structure is walked here, so that elliptic-curve certificates come out as they stand; node-forge only
 * decrypts, as Node itself has neither the old key derivation nor RC2. Throws {@link MalformedDer}, also for
 * an encryption that is not supported and for more rounds of key derivation than are bearable.
 */
export async function certificatesOfPkcs12(bytes: Uint8Array, password: string): Promise<Pkcs12Outcome> {
  const { default: forge } = await import("node-forge");
  const [, safe, mac] = childrenOf(bytes, readElement(bytes, 0, bytes.length));
  const [, safeContent] = childrenOf(bytes, safe!);
  if (safeContent === undefined) throw new MalformedDer("no authenticated safe in PKCS#12", safe!.start);
  const authenticated = octetsOf(bytes, childrenOf(bytes, safeContent)[0] ?? safeContent);
  const budget = { rounds: MAX_ROUNDS };
  if (mac && !isMacRight(forge, bytes, mac, authenticated, password, budget)) return { t: "wrong_password" };
  const parts = childrenOf(authenticated, readElement(authenticated, 0, authenticated.length));
  if (parts.length > MAX_PARTS) throw new MalformedDer(`more than ${MAX_PARTS} parts in PKCS#12`, 0);
  const certificates: Uint8Array[] = [];
  for (const part of parts) {
    const contents = openPart(forge, authenticated, part, password, budget);
    if (contents === "wrong_password") return { t: "wrong_password" };
    if (contents) certificates.push(...certificatesOfBags(contents, readElement(contents, 0, contents.length)));
  }
  return { t: "certificates", certificates };
}

type Forge = typeof forgeModule;

interface Budget {
  rounds: number;
}

/** A part's safe contents, decrypted; undefined for a part of another kind. */
function openPart(
  forge: Forge,
  bytes: Uint8Array,
  part: DerElement,
  password: string,
  budget: Budget,
): Uint8Array | "wrong_password" | undefined {
  const [type, content] = childrenOf(bytes, part);
  const kind = oidOf(bytes, type);
  const [inner] = content === undefined ? [] : childrenOf(bytes, content);
  if (inner === undefined) return undefined;
  if (kind === DATA) return octetsOf(bytes, inner);
  if (kind !== ENCRYPTED_DATA) return undefined;
  const [, encrypted] = childrenOf(bytes, inner);
  const [, algorithm, ciphertext] = encrypted === undefined ? [] : childrenOf(bytes, encrypted);
  const [oid, parameters] = algorithm === undefined ? [] : childrenOf(bytes, algorithm);
  if (parameters === undefined || ciphertext === undefined) throw new MalformedDer("no ciphertext", part.start);
  const scheme = oidOf(bytes, oid);
  spend(budget, roundsOf(bytes, scheme, parameters), parameters.start);
  const pbe = (forge as unknown as { pbe: PasswordBasedEncryption }).pbe;
  const params = forge.asn1.fromDer(binary(bytes.subarray(parameters.start, parameters.end)));
  let cipher: forgeModule.cipher.BlockCipher;
  try {
    // PBES2 takes the password's bytes, the older ciphers take its characters (RFC 7292 appendix B.1).
    cipher = pbe.getCipher(scheme, params, scheme === PBES2 ? forge.util.encodeUtf8(password) : password);
  } catch (cause) {
    throw Object.assign(new MalformedDer("an encryption that is not supported", part.start), { cause });
  }
  cipher.update(forge.util.createBuffer(binary(octetsOf(bytes, ciphertext))));
  return cipher.finish() ? Buffer.from(cipher.output.getBytes(), "latin1") : "wrong_password";
}

function roundsOf(bytes: Uint8Array, scheme: string, parameters: DerElement): number {
  const [first, second] = childrenOf(bytes, parameters);
  if (scheme !== PBES2) return smallIntegerOf(bytes, second);
  const [kdf, kdfParameters] = first === undefined ? [] : childrenOf(bytes, first);
  if (kdfParameters === undefined || oidOf(bytes, kdf) !== PBKDF2) {
    throw new MalformedDer("a key derivation that is not supported", parameters.start);
  }
  return smallIntegerOf(bytes, childrenOf(bytes, kdfParameters)[1]);
}

function spend(budget: Budget, rounds: number, offset: number): void {
  if (rounds < 1) throw new MalformedDer(`${rounds} rounds of key derivation`, offset);
  budget.rounds -= rounds;
  if (budget.rounds < 0) throw new MalformedDer(`more than ${MAX_ROUNDS} rounds of key derivation`, offset);
}

/** Check MacData (RFC 7292 section 4 and appendix B.4), which tells a wrong password from a broken file. */
function isMacRight(
  forge: Forge,
  bytes: Uint8Array,
  mac: DerElement,
  message: Uint8Array,
  password: string,
  budget: Budget,
): boolean {
  const [digestInfo, salt, rounds] = childrenOf(bytes, mac);
  const [algorithm, expected] = digestInfo === undefined ? [] : childrenOf(bytes, digestInfo);
  const [oid] = algorithm === undefined ? [] : childrenOf(bytes, algorithm);
  if (expected === undefined || salt === undefined) throw new MalformedDer("no digest in PKCS#12", mac.start);
  const name = forge.pki.oids[oidOf(bytes, oid)];
  if (name !== "sha1" && name !== "sha256" && name !== "sha384" && name !== "sha512") {
    throw new MalformedDer("a message authentication that is not supported", mac.start);
  }
  const roundsCount = rounds === undefined ? 1 : smallIntegerOf(bytes, rounds);
  spend(budget, roundsCount, mac.start);
  const digest = forge.md[name].create();
  const { pbe } = forge as unknown as { pbe: PasswordBasedEncryption };
  const saltBuffer = forge.util.createBuffer(binary(octetsOf(bytes, salt)));
  const key = pbe.generatePkcs12Key(password, saltBuffer, 3, roundsCount, digest.digestLength, digest);
  const hmac = forge.hmac.create();
  hmac.start(name as Parameters<typeof hmac.start>[0], key);
  hmac.update(binary(message));
  const computed = Buffer.from(hmac.digest().getBytes(), "latin1");
  const given = octetsOf(bytes, expected);
  return computed.length === given.length && timingSafeEqual(computed, given);
}

function certificatesOfBags(bytes: Uint8Array, bags: DerElement, depth = 0): Uint8Array[] {
  if (depth > 4) throw new MalformedDer("bags nested too deep", bags.start);
  return childrenOf(bytes, bags).flatMap((bag) => {
    const [type, content] = childrenOf(bytes, bag);
    const [value] = content === undefined ? [] : childrenOf(bytes, content);
    if (value === undefined) return [];
    const kind = oidOf(bytes, type);
    if (kind === NESTED_BAG) return certificatesOfBags(bytes, value, depth + 1);
    if (kind !== CERTIFICATE_BAG) return [];
    const [certificateType, wrapped] = childrenOf(bytes, value);
    if (wrapped === undefined || oidOf(bytes, certificateType) !== X509_CERTIFICATE) return [];
    const [octets] = childrenOf(bytes, wrapped);
    return octets === undefined || (octets.tag & ~DerTag.CONSTRUCTED) !== DerTag.OCTET_STRING
      ? []
      : [octetsOf(bytes, octets)];
  });
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
