import { readFileSync, writeFileSync } from "node:fs";
import os from "node:os";

const CONGESTION_CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control";

/** Paces nothing on loopback, unlike bbr, which hides every difference. */
const WANTED = "cubic";

/** What figures depend on, besides the programs. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly congestionControl: CongestionControl;
}

/** The kernel's choice for new sockets: nobody here can choose per socket, so it holds for all targets alike. */
export interface CongestionControl {
  readonly machineDefault: string;
  readonly duringTheRun: string;
}

export function describeMachine(congestionControl: CongestionControl): Machine {
  const cores = os.cpus();
  return {
    cpu: cores[0]?.model ?? "unknown",
    cores: cores.length,
    kernel: os.release(),
    node: process.version,
    congestionControl,
  };
}

/** Switch the machine to cubic where that is allowed; `restore` puts the old value back. */
export function switchCongestionControl(): { readonly inForce: CongestionControl; readonly restore: () => void } {
  const machineDefault = readFileSync(CONGESTION_CONTROL, "utf8").trim();
  if (machineDefault !== WANTED) {
    try {
      writeFileSync(CONGESTION_CONTROL, WANTED);
    } catch {
      // Not root, a read-only /proc, or a kernel without cubic: measured as it is, and printed.
      return { inForce: { machineDefault, duringTheRun: machineDefault }, restore: () => {} };
    }
  }
  return {
    inForce: { machineDefault, duringTheRun: readFileSync(CONGESTION_CONTROL, "utf8").trim() },
    restore: () => {
      if (machineDefault !== WANTED) writeFileSync(CONGESTION_CONTROL, machineDefault);
    },
  };
}
