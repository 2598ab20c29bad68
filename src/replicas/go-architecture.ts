/** Architectures that Go names differently from Node (nodejs.org process.arch, go.dev GOARCH). */
const GO_NAMES: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["mipsel", "mipsle"],
]);

/** Go's name of an architecture, which tells the two byte orders of ppc64 apart as Node's does not. */
export function goArchitecture(arch: string, byteOrder: "BE" | "LE"): string {
  if (arch === "ppc64" && byteOrder === "LE") return "ppc64le";
  return GO_NAMES.get(arch) ?? arch;
}
