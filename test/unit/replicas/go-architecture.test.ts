import { expect, test } from "vitest";
import { goArchitecture } from "../../../src/replicas/go-architecture.ts";

test.each([
  ["x64", "LE", "amd64"],
  ["ia32", "LE", "386"],
  ["arm64", "LE", "arm64"],
  ["ppc64", "LE", "ppc64le"],
  ["ppc64", "BE", "ppc64"],
  ["mipsel", "LE", "mipsle"],
  ["s390x", "BE", "s390x"],
] as const)("Node's %s with %s is Go's %s", (arch, byteOrder, name) => {
  expect(goArchitecture(arch, byteOrder)).toBe(name);
});
