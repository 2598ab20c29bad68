import { describe, expect, test } from "vitest";
import { parseRepository, trimPath } from "../../../src/routing/repository.ts";

describe("one repository has one name, however its remote is written", () => {
  test.each([
    "https://github.com/acme/app.git",
    "https://github.com/acme/app",
    "https://github.com/acme/app/",
    "https://github.com/acme/app.git/",
    "https://github.com//acme//app",
    "http://github.com/acme/app.git",
    "https://github.com:443/acme/app.git",
    "http://github.com:80/acme/app.git",
    "https://GitHub.COM/acme/app.git",
    "HTTPS://github.com/acme/app.git",
    "https://x-access-token:ghs_S3cret@github.com/acme/app.git",
    "https://ghp_S3cret@github.com/acme/app",
    "https://xxxxx:xxxxx@github.com/acme/app.git",
    "https://user:p:a:ss@github.com/acme/app",
    "ssh://git@github.com/acme/app.git",
    "ssh://git@github.com:22/acme/app.git",
    "ssh://github.com/acme/app",
    "git://github.com/acme/app.git",
    "git://github.com:9418/acme/app.git",
    "git@github.com:acme/app.git",
    "git@github.com:/acme/app.git",
    "github.com:acme/app",
    "github.com/acme/app.git",
    "github.com/acme/app",
    "GitHub.com/acme/app",
    "  https://github.com/acme/app.git\n",
    "https://github.com/acme/app.git#main",
    "https://github.com/acme/app.git?ref=main",
  ])("%s", (remote) => {
    expect(parseRepository(remote)).toEqual({ name: "github.com/acme/app", subdir: "" });
  });
});

describe("what makes another repository stays in the name", () => {
  test.each([
    ["https://git.acme.io:8443/app/", "git.acme.io:8443/app"],
    ["ssh://git@git.acme.io:2222/acme/app", "git.acme.io:2222/acme/app"],
    ["http://git.acme.io:443/app", "git.acme.io:443/app"],
    ["https://git.acme.io:/app", "git.acme.io/app"],
    ["https://github.com/Acme/App", "github.com/Acme/App"],
    ["git@ssh.dev.azure.com:v3/acme/shop/app", "ssh.dev.azure.com/v3/acme/shop/app"],
    ["ssh://git@stash.acme.io:7999/~jo/app.git", "stash.acme.io:7999/~jo/app"],
    ["https://git.acme.io/group/sub/deep/app.git", "git.acme.io/group/sub/deep/app"],
    ["https://git.acme.io/app.github.io", "git.acme.io/app.github.io"],
    ["https://[2001:DB8::1]/acme/app.git", "[2001:db8::1]/acme/app"],
    ["https://[2001:db8::1]:8443/acme/app.git", "[2001:db8::1]:8443/acme/app"],
    ["git@[2001:db8::1]:acme/app.git", "[2001:db8::1]/acme/app"],
    ["http://127.0.0.1:3000/acme/app", "127.0.0.1:3000/acme/app"],
    ["my_host:acme/app", "my_host/acme/app"],
  ])("%s is %s", (remote, name) => {
    expect(parseRepository(remote)).toEqual({ name, subdir: "" });
  });
});

describe("the directory inside the repository is told apart", () => {
  test.each([
    ["https://github.com/acme/app.git#main:web", "web"],
    ["https://github.com/acme/app.git#:web/ui/", "web/ui"],
    ["https://github.com/acme/app.git#v1.2:./web//ui", "web/ui"],
    ["https://github.com/acme/app.git?ref=main&subdir=web", "web"],
    ["https://github.com/acme/app.git?subdir=web%2Fui&ref=main", "web/ui"],
    ["https://github.com/acme/app.git?subdir=web#main", "web"],
    ["git@github.com:acme/app.git#main:web", "web"],
    ["github.com/acme/app#main:web", "web"],
    ["https://github.com/acme/app.git#main", ""],
    ["https://github.com/acme/app.git#main:", ""],
    ["https://github.com/acme/app.git?subdir=", ""],
  ])("%s: %j", (remote, subdir) => {
    expect(parseRepository(remote)).toEqual({ name: "github.com/acme/app", subdir });
  });
});

describe("what is no remote has no name", () => {
  test.each([
    "",
    " ",
    ".",
    "..",
    "sub",
    "./sub",
    "../app",
    "/srv/git/app.git",
    "~/app",
    "file:///srv/git/app.git",
    "C:\\Users\\jo\\app",
    "C:/Users/jo/app",
    "c:app",
    "\\\\server\\share\\app.git",
    "host:dir\\app",
    "https://",
    "https://github.com",
    "https://github.com/",
    "https://github.com/.git",
    "https:///acme/app",
    "https://github.com:port/acme/app",
    "https://github.com:",
    "git@github.com:",
    "git@github.com:/",
    "github.com/",
    "github.com",
    "gitlab.com/acme/app",
    "github.company.io/acme/app",
    "ftp://github.com/acme/app",
    "https://github.com/acme app\nsecond line/x",
    "https://exa mple.com/acme/app",
    "docker-image://alpine:3",
  ])("%j", (remote) => {
    expect(parseRepository(remote)).toBeUndefined();
  });
});

describe("a credential in a form that git does not take is not kept", () => {
  test.each([
    "user:S3cret@github.com:acme/app.git",
    "https://user:S3cret/x@github.com/acme/app",
    "https://user:1234/S3cret@github.com/acme/app",
    "https://user:S3@cret@github.com/acme/app",
    "https://user:S3#cret@github.com/acme/app",
    "https://user:S3?cret@github.com/acme/app",
    "https://user:S3 cret@github.com/acme/app",
    "https://github.com/user:S3cret@/acme/app",
  ])("%s", (remote) => {
    expect(JSON.stringify(parseRepository(remote) ?? {})).not.toMatch(/S3|cret/);
  });
});

test("a remote that is too long to be one is not looked at", () => {
  expect(parseRepository(`https://github.com/${"a".repeat(4_000)}`)?.name).toHaveLength(4_011);
  expect(parseRepository(`https://github.com/${"a".repeat(5_000)}`)).toBeUndefined();
});

test.each([
  ["credentials without an end", `https://${"a:".repeat(1_900)}`],
  ["a host without an end", `https://${"a.".repeat(2_000)}`],
  ["slashes", `https://github.com/${"/".repeat(4_000)}`],
  ["slashes before something", `github.com:${"/".repeat(4_000)}\n`],
  ["colons", ":".repeat(4_000)],
  ["at signs", "@".repeat(4_000)],
  ["brackets", `https://[${":".repeat(4_000)}`],
  [".git again and again", `https://github.com/${".git/".repeat(700)}`],
])("%s take no time to read", (_what, remote) => {
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) parseRepository(remote);
  expect((performance.now() - startMs) / 20).toBeLessThan(20);
});

test("a path is trimmed to its names", () => {
  expect(trimPath("/a/./b//c/")).toBe("a/b/c");
  expect(trimPath("./")).toBe("");
  expect(trimPath("../a")).toBe("../a");
});

test.each([
  "https://user:12/sec#ret@github.com/acme/app.git",
  "https://TOKEN/rest?x@github.com/acme/app",
  "user:sec#ret@github.com:acme/app",
  "user:sec?ret@github.com:acme/app",
  "https://h/a;token=secret",
  "ghp_secret:x-oauth-basic",
  "bearer:secret",
])("a password with characters that belong elsewhere names nothing: %s", (remote) => {
  expect(parseRepository(remote)).toBeUndefined();
});

test.each([
  ["https://github.com/acme/app.git#pkg@1.0.0", "github.com/acme/app"],
  ["https://TOKEN@github.com/acme/app.git#pkg@1.0.0:web", "github.com/acme/app"],
  ["gh:acme/app", "gh/acme/app"],
  ["https://github.com:0443/acme/app", "github.com/acme/app"],
])("what is no password does no harm: %s", (remote, name) => {
  expect(parseRepository(remote)?.name).toBe(name);
});
