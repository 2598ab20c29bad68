import type { Address } from "../base/address.ts";
import { poolsOf } from "./pools.ts";
import type { Config } from "./schema.ts";

/** An address where clients connect. */
export interface ClientAddress {
  /** Path of the setting that it is from. */
  readonly setting: string;
  readonly address: Address;
  /** The pool whose own it is; undefined: all have it in common. */
  readonly pool: string | undefined;
}

/** All addresses where clients connect: the common ones, then each pool's own. */
export function clientAddresses(config: Config): ClientAddress[] {
  const ofPools = poolsOf(config).flatMap(({ name, listen }) =>
    listen.map((address) => ({ setting: `pools.${name}.listen`, address, pool: name })),
  );
  return [...config.listen.map((address) => ({ setting: "listen", address, pool: undefined })), ...ofPools];
}
