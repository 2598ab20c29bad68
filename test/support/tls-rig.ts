import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import { TestAuthority } from "./lab/certificates.ts";
import { type RigOptions, SwitchRig } from "./switch-rig.ts";

/** What a rig with TLS may be asked for besides. */
export interface TlsRigOptions extends RigOptions {
  /** `tls.mode`. Default `optional`. */
  readonly mode?: string;
}

/** A rig with a certificate of its own, and how clients that trust it connect. */
export async function startWithTls(options: TlsRigOptions = {}): Promise<{
  readonly rig: SwitchRig;
  /** Resolves when the handshake is over; rejects where it fails. */
  readonly connect: (client?: ConnectionOptions) => Promise<TLSSocket>;
}> {
  const authority = new TestAuthority();
  const { cert, key } = authority.issue({ commonName: "gateway", names: ["localhost", "127.0.0.1"] });
  const folder = mkdtempSync(join(tmpdir(), "switch-rig-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  const rig = await SwitchRig.start({
    ...options,
    argv: [`--tls-cert=${files.cert}`, `--tls-key=${files.key}`],
    settings: { TLS_MODE: options.mode ?? "optional", ...options.settings },
  });
  const connect = async (client: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = connectTls({ host: "127.0.0.1", port: rig.address.port, ca: authority.cert, ...client });
    onTestFinished(() => void socket.destroy());
    await once(socket, "secureConnect");
    return socket;
  };
  return { rig, connect };
}
