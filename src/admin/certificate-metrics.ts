import { Gauge, type Registry } from "prom-client";
import type { CertificateExpiry } from "../base/followed-tls.ts";

/** Tell Prometheus when the certificates in force end. */
export function addCertificateMetrics(registry: Registry, expiries: () => readonly CertificateExpiry[]): void {
  new Gauge({
    name: "bkgw_certificate_expiry_timestamp_seconds",
    help: "When a certificate in force ends, by the setting that names its file; of several in a file the first.",
    labelNames: ["setting"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { setting, expiresAt } of expiries()) this.set({ setting }, expiresAt.getTime() / 1_000);
    },
  });
}
