import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestAuthority } from "../support/lab/certificates.ts";

/** The gateway's certificate: files that it follows. */
export class ServerCertificate {
  readonly #authority: TestAuthority;
  readonly #folder: string;
  readonly servername = "gateway.test";

  constructor(authority: TestAuthority, folder: string) {
    this.#authority = authority;
    this.#folder = folder;
  }

  get certFile(): string {
    return join(this.#folder, "cert.pem");
  }

  get keyFile(): string {
    return join(this.#folder, "key.pem");
  }

  /** Write another one, with a key of its own. */
  async renew(): Promise<void> {
    const { cert, key } = this.#authority.issue({ commonName: "gateway", names: [this.servername] });
    for (const [file, content] of [
      [this.certFile, cert],
      [this.keyFile, key],
    ] as const) {
      await writeFile(`${file}.new`, content);
      await rename(`${file}.new`, file);
    }
  }
}
