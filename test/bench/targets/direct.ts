import type { Target } from "./target.ts";

/** Nothing in between: what generator and replica can do by themselves. */
export const direct: Target = {
  name: "direct",
  async start({ replica }) {
    return {
      version: "no proxy",
      cleartext: { port: replica.plain, pid: undefined },
      tls: { port: replica.tls, pid: undefined },
      mtls: { port: replica.tls, pid: undefined },
      stop: async () => {},
    };
  },
};
