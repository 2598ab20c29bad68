import { z } from "zod";
import { SETTING_FLAGS, type SettingFlag, SIDECAR_FLAGS } from "./flags.ts";
import { configSchema } from "./schema.ts";
import { sidecarSchema } from "./sidecar-schema.ts";
import { type ValueType, valueTypes } from "./value-types.ts";

/** Every environment variable that the gateway reads begins with this. */
export const VARIABLE_PREFIX = "BUILDKIT_GATEWAY_";

/** Stands in a path for a name that the operator chooses, such as a pool's. */
export const ANY_NAME = "<name>";

/** One leaf of the schema, with the ways to set it. */
export interface Setting {
  /** The keys that lead to it in a file, joined by dots. */
  readonly path: string;
  /** {@link ANY_NAME} stands for a name that the operator chooses. */
  readonly keys: readonly string[];
  /**
   * Environment variable, derived from the path: `drain.grace` is
   * `BUILDKIT_GATEWAY_DRAIN_GRACE`. Undefined below a chosen name.
   */
  readonly variable: string | undefined;
  /** Command line flag with its dashes, where it has one. */
  readonly flag: string | undefined;
  /** How to write a value, or one item of a list, for people. */
  readonly typeLabel: string;
  readonly isList: boolean;
  /** The default as one would write it, or a phrase; undefined where the setting is simply absent. */
  readonly defaultText: string | undefined;
  readonly description: string;
}

/** All settings of `serve`, in the schema's order. */
export const SETTINGS: readonly Setting[] = collect(configSchema, [], SETTING_FLAGS);

/** All settings of `sidecar`. */
export const SIDECAR_SETTINGS: readonly Setting[] = collect(sidecarSchema, [], SIDECAR_FLAGS);

/** Whether a path leads to a setting, or to a part on the way to it. */
export function leadsTo({ keys }: Setting, path: readonly PropertyKey[]): boolean {
  return path.every((key, index) => keys[index] === key || keys[index] === ANY_NAME);
}

function collect(schema: z.core.$ZodType, keys: readonly string[], flags: readonly SettingFlag[]): Setting[] {
  const { shape, leaf } = unwrap(schema);
  if (leaf) return [describeLeaf(schema, leaf, keys, flags)];
  return Object.entries(shape).flatMap(([key, child]) => collect(child, [...keys, key], flags));
}

/** What a schema is under its wrappers: a leaf with its type, or a section with its shape. */
function unwrap(schema: z.core.$ZodType): { shape: z.core.$ZodShape; leaf: ValueType | undefined } {
  const leaf = valueTypes.get(schema);
  if (leaf) return { shape: {}, leaf };
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return unwrap(schema.def.innerType);
  if (schema instanceof z.ZodObject) return { shape: schema.shape, leaf: undefined };
  if (schema instanceof z.ZodRecord) return { shape: { [ANY_NAME]: schema.def.valueType }, leaf: undefined };
  if (schema instanceof z.ZodPipe) {
    const isPreprocessed = schema.def.in instanceof z.ZodTransform;
    return unwrap(isPreprocessed ? schema.def.out : schema.def.in);
  }
  throw new Error(`the schema has a part that is neither a section nor a value: ${schema._zod.def.type}`);
}

function describeLeaf(
  schema: z.core.$ZodType,
  type: ValueType,
  keys: readonly string[],
  flags: readonly SettingFlag[],
): Setting {
  const path = keys.join(".");
  const { description = "", defaultText } = z.globalRegistry.get(schema) ?? {};
  const ownDefault = schema instanceof z.ZodDefault ? type.write(schema.def.defaultValue) : undefined;
  return {
    path,
    keys,
    variable: keys.includes(ANY_NAME) ? undefined : variableName(keys),
    flag: flags.find((known) => known.path === path)?.flag,
    typeLabel: type.label,
    isList: type.isList,
    defaultText: typeof defaultText === "string" ? defaultText : ownDefault ? `\`${ownDefault}\`` : undefined,
    description,
  };
}

/** `["replicaTls", "clientCa"]` is `BUILDKIT_GATEWAY_REPLICA_TLS_CLIENT_CA`. */
export function variableName(keys: readonly string[]): string {
  const words = keys.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return VARIABLE_PREFIX + words.join("_");
}
