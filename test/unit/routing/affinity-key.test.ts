import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UNKNOWN_CALLER } from "../../../src/identity/caller.ts";
import { affinityKey, KEY_SOURCES, type KeyMaterial } from "../../../src/routing/affinity-key.ts";

function material(attrs: Record<string, string>, parts: Partial<KeyMaterial> = {}): KeyMaterial {
  return {
    attrs: new Map(Object.entries(attrs)),
    imageNames: [],
    caller: UNKNOWN_CALLER,
    sharedKey: undefined,
    ...parts,
  };
}

const REMOTE = { "vcs:source": "https://github.com/acme/app.git" };

describe("the repository and the directory in it make the key", () => {
  test.each<[Record<string, string>, string | undefined]>([
    [REMOTE, "github.com/acme/app"],
    [{ ...REMOTE, "vcs:localdir:context": "." }, "github.com/acme/app"],
    [{ ...REMOTE, "vcs:localdir:context": "sub" }, "github.com/acme/app//sub"],
    [{ ...REMOTE, "vcs:localdir:context": "./sub/dir/" }, "github.com/acme/app//sub/dir"],
    [{ "vcs:source": "git@github.com:acme/app.git", "vcs:localdir:context": "sub" }, "github.com/acme/app//sub"],
    [{ context: "https://token@github.com/acme/app.git#main:sub" }, "github.com/acme/app//sub"],
    [{ context: "https://github.com/acme/app.git" }, "github.com/acme/app"],
    [{ context: "github.com/acme/app" }, "github.com/acme/app"],
    [{ context: "git@github.com:acme/app#:sub" }, "github.com/acme/app//sub"],
    [{ ...REMOTE, context: "https://github.com/other/thing.git" }, "github.com/acme/app"],
    [{ "vcs:source": "/srv/git/app.git", context: "https://github.com/acme/app.git" }, "github.com/acme/app"],
    [{ "vcs:localdir:context": "sub" }, undefined],
    [{ "vcs:source": "/srv/git/app.git" }, undefined],
    [{ "vcs:source": "" }, undefined],
    [{}, undefined],
  ])("%j", (attrs, key) => {
    expect(affinityKey(material(attrs), KEY_SOURCES)).toBe(key);
  });
});

test("the repository alone makes the key where that is asked for", () => {
  const sources = ["repository-root", "image"] as const;
  const inSub = { ...REMOTE, "vcs:localdir:context": "sub" };
  expect(affinityKey(material(inSub), sources)).toBe("github.com/acme/app");
  expect(affinityKey(material({ context: "https://github.com/acme/app.git#main:sub" }), sources)).toBe(
    "github.com/acme/app",
  );
  expect(affinityKey(material(inSub), ["repository", "repository-root"])).toBe("github.com/acme/app//sub");
  expect(affinityKey(material({}, { imageNames: ["acme/app"] }), sources)).toBe("image:acme/app");
});

describe("an image's name makes the key without tag and digest", () => {
  const digest = `sha256:${"0a".repeat(32)}`;
  test.each<[string[], string | undefined]>([
    [["app"], "image:app"],
    [["app:1"], "image:app"],
    [["acme/app:1.2.3-rc_1"], "image:acme/app"],
    [["registry:5000/acme/app"], "image:registry:5000/acme/app"],
    [["registry:5000/acme/app:1"], "image:registry:5000/acme/app"],
    [["harbor.sonda.red.intra/acme/app:1"], "image:harbor.sonda.red.intra/acme/app"],
    [[`acme/app@${digest}`], "image:acme/app"],
    [[`registry:5000/acme/app:1@${digest}`], "image:registry:5000/acme/app"],
    [["[::1]:5000/acme/app:1"], "image:[::1]:5000/acme/app"],
    [["Registry.Acme.io/app:Latest"], "image:registry.acme.io/app"],
    [["REGISTRY:5000/acme/app"], "image:registry:5000/acme/app"],
    [["localhost/acme/app"], "image:localhost/acme/app"],
    [["docker.io/acme/app:1"], "image:acme/app"],
    [["index.docker.io/acme/app"], "image:acme/app"],
    [["Docker.io/acme/app"], "image:acme/app"],
    [["docker.io/app"], "image:app"],
    [["docker.io/library/app:1"], "image:app"],
    [["library/app"], "image:app"],
    [["library/acme/app"], "image:library/acme/app"],
    [["ghcr.io/library/app"], "image:ghcr.io/library/app"],
    [["quay.io/docker.io/app"], "image:quay.io/docker.io/app"],
    [["acme/app:1,acme/other:1"], "image:acme/app"],
    [[" , acme/app:1 "], "image:acme/app"],
    [["", "acme/app:1"], "image:acme/app"],
    [["acme/app:1", "acme/other:1"], "image:acme/app"],
    [["user:S3cret@registry/app", "acme/app"], "image:acme/app"],
    [["https://user:S3cret@registry/app"], undefined],
    [["ghp_s3cret@registry/app"], undefined],
    [["user:pa/ss@registry/app"], undefined],
    [[":1"], undefined],
    [["@"], undefined],
    [[","], undefined],
    [[], undefined],
  ])("%j", (imageNames, key) => {
    expect(affinityKey(material({}, { imageNames }), KEY_SOURCES)).toBe(key);
  });

  test("and a list of a million names takes no time", () => {
    const startMs = performance.now();
    expect(affinityKey(material({}, { imageNames: [",".repeat(16 << 20)] }), KEY_SOURCES)).toBeUndefined();
    expect(affinityKey(material({}, { imageNames: [`${"a".repeat(16 << 20)}!`] }), KEY_SOURCES)?.length).toBe(512);
    expect(affinityKey(material({}, { imageNames: [`${"a.".repeat(2_000)}!`] }), KEY_SOURCES)).toBeUndefined();
    expect(performance.now() - startMs).toBeLessThan(500);
  });
});

describe("the first source that is present makes the key", () => {
  const all = material(REMOTE, { imageNames: ["acme/image:1"], sharedKey: "app:node" });
  test.each([
    [["repository", "image", "sharedkey"], "github.com/acme/app"],
    [["image", "repository"], "image:acme/image"],
    [["sharedkey", "image"], "shared:app:node"],
    [["image"], "image:acme/image"],
    [["sharedkey"], "shared:app:node"],
  ] as const)("%j", (sources, key) => {
    expect(affinityKey(all, sources)).toBe(key);
  });

  test("who builds comes before what only its runner knows the context by", () => {
    const caller = { repository: "github.com/acme/app" };
    const known = material({}, { caller, sharedKey: "app:node" });
    expect(affinityKey(known, ["repository", "image", "identity", "sharedkey"])).toBe("github.com/acme/app");
    expect(affinityKey(known, ["repository", "sharedkey"])).toBe("shared:app:node");
  });

  test("and one that is absent is passed over", () => {
    expect(affinityKey(material({}, { imageNames: ["acme/image"], sharedKey: "k" }), KEY_SOURCES)).toBe(
      "image:acme/image",
    );
    expect(affinityKey(material({}, { sharedKey: "app:node" }), KEY_SOURCES)).toBe("shared:app:node");
    expect(affinityKey(material({}, { sharedKey: "" }), KEY_SOURCES)).toBeUndefined();
    expect(affinityKey(material(REMOTE), ["image", "sharedkey"])).toBeUndefined();
    expect(affinityKey(material(REMOTE), [])).toBeUndefined();
  });
});

test("keys of different sources never meet", () => {
  const image = affinityKey(material({}, { imageNames: ["github.com/acme/app"] }), KEY_SOURCES);
  const shared = affinityKey(material({}, { sharedKey: "github.com/acme/app" }), KEY_SOURCES);
  expect(new Set([image, shared, affinityKey(material(REMOTE), KEY_SOURCES)]).size).toBe(3);
});

test("a key that is too long is cut the same way each time", () => {
  const long = material({ "vcs:source": `https://github.com/${"a/".repeat(1_000)}` });
  expect(affinityKey(long, KEY_SOURCES)).toHaveLength(512);
  expect(affinityKey(long, KEY_SOURCES)).toBe(affinityKey(long, KEY_SOURCES));
});

test("no credential of a remote survives into a key", () => {
  // RFC 3986 §3.2.1: what else a credential holds must be percent-encoded.
  const credential = fc.stringMatching(/^S3CRET[A-Za-z0-9._~!$&'()*+,;=%-]{0,30}$/);
  const userinfo = fc.oneof(
    credential,
    fc.tuple(fc.constantFrom("user", "x-access-token", ""), credential).map((pair) => pair.join(":")),
  );
  const write = fc.constantFrom(
    (info: string) => `https://${info}@github.com/acme/app.git`,
    (info: string) => `http://${info}@git.acme.io:8080/acme/app.git#main:sub`,
    (info: string) => `ssh://${info}@github.com/acme/app?ref=main`,
    (info: string) => `git://${info}@github.com/acme/app`,
    (info: string) => `${info}@github.com:acme/app.git`,
    (info: string) => `${info}@github.com/acme/app.git`,
    (info: string) => `https://github.com/acme/app.git?token=${info}`,
    (info: string) => `https://github.com/acme/app.git#${info.replaceAll(":", "")}`,
    (info: string) => `https://${info}@[::1]:8443/acme/app`,
    (info: string) => `HTTPS://${info}@GITHUB.com:443/acme/app`,
  );
  fc.assert(
    fc.property(userinfo, write, fc.constantFrom("vcs:source", "context"), (info, form, attr) => {
      const key = affinityKey(material({ [attr]: form(info) }, { imageNames: [form(info)] }), KEY_SOURCES);
      expect(key ?? "").not.toContain("S3CRET");
    }),
    { numRuns: 2_000 },
  );
});
