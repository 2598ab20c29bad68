import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_CALLER_CHARACTERS } from "../../../src/identity/caller.ts";
import { CLAIM_KEYS, makeClaim, readClaim, writeClaim } from "../../../src/identity/claim.ts";

test("a claim survives its header", () => {
  const claim = {
    repository: "github.com/acme/app",
    workflow: "acme/app/.github/workflows/ci.yml@refs/heads/main",
    runId: "42",
    job: "build & test, größe=1",
    namespace: "arc-runners",
    pod: "runner-abc",
  };
  expect(readClaim(writeClaim(claim))).toEqual(claim);
});

test("the header holds what every header can", () => {
  fc.assert(
    fc.property(
      fc.record({ repository: fc.string({ unit: "binary" }), job: fc.string({ unit: "binary" }) }),
      (texts) => {
        const written = writeClaim(makeClaim((key) => (key in texts ? texts[key as keyof typeof texts] : undefined)));
        expect(written).toMatch(/^[\x21-\x7e]*$/);
      },
    ),
  );
});

describe("what is read", () => {
  test("leaves unknown keys and empty texts out", () => {
    expect(
      readClaim("repository=github.com%2Facme%2Fapp&admin=true&job=&certificateNames=cn:root&__proto__=x"),
    ).toEqual({
      repository: "github.com/acme/app",
    });
  });

  test("has no control characters, and no text longer than is kept", () => {
    const { job, workflow } = readClaim(`job=a%0Ab%1B&workflow=${"w".repeat(1_000)}`);
    expect(job).toBe("a?b?");
    expect(workflow).toHaveLength(MAX_CALLER_CHARACTERS);
  });

  test("is nothing where it is longer than any honest claim", () => {
    expect(readClaim(`repository=a&job=${"x".repeat(9_000)}`)).toEqual({});
    const longest = writeClaim(makeClaim(() => "x".repeat(MAX_CALLER_CHARACTERS)));
    expect(Object.keys(readClaim(longest))).toEqual([...CLAIM_KEYS]);
  });

  test("never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void readClaim(text)));
  });
});
