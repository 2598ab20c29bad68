import { describe, expect, test } from "vitest";
import { githubRepository, readJobEnvironment } from "../../../src/identity/github.ts";

describe("a repository", () => {
  test.each([
    ["acme/app", undefined, "github.com/acme/app"],
    ["Acme/App.js", "https://github.com", "github.com/Acme/App.js"],
    ["acme/app", "https://GHES.corp.example:8443/some/path", "ghes.corp.example:8443/acme/app"],
    ["acme/app", "https://ghes.corp.example:443", "ghes.corp.example/acme/app"],
    ["acme", undefined, undefined],
    ["acme/app/more", undefined, undefined],
    ["", undefined, undefined],
    ["acme/app", "not an address", undefined],
  ])("%s on %s is %s", (fullName, server, expected) => {
    expect(githubRepository(fullName, server)).toBe(expected);
  });
});

describe("a job's environment", () => {
  test("says which repository, workflow, run and job it is", () => {
    const text = [
      "PATH=/usr/bin",
      "GITHUB_REPOSITORY=acme/app",
      "GITHUB_SERVER_URL=https://ghes.corp.example",
      "GITHUB_WORKFLOW_REF=acme/app/.github/workflows/ci.yml@refs/pull/7/merge",
      "GITHUB_RUN_ID=123456\r",
      "GITHUB_JOB=build",
      "MULTI=one",
      "GITHUB two lines",
    ].join("\n");
    expect(readJobEnvironment(text)).toEqual({
      repository: "ghes.corp.example/acme/app",
      workflow: "acme/app/.github/workflows/ci.yml@refs/pull/7/merge",
      runId: "123456",
      job: "build",
    });
  });

  test.each(["", "\n\n", "GITHUB_REPOSITORY=", "GITHUB_REPOSITORY=no-owner", "export GITHUB_JOB=x"])(
    "that says nothing is no claim: %j",
    (text) => {
      expect(readJobEnvironment(text)).toEqual({});
    },
  );
});
