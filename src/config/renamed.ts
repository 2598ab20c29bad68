/** Paths of settings that have had another one, by the old one. */
export const RENAMED_SETTINGS: ReadonlyMap<string, string> = new Map([["placement.affinity", "affinity.keys"]]);
