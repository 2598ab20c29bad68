import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtobufError } from "../../../src/buildkit/protobuf-reader.ts";
import { readSolveRequest, readStatusRef } from "../../../src/buildkit/solve-request.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";

/** Encode with protobufjs, from the same contracts that the gateway's own calls use. */
function encode(request: object): Buffer {
  return controlRpcs.Solve.requestSerialize(request as never);
}

/** One length-delimited field. */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    octets.push(rest < 128 ? rest : (rest % 128) | 0x80);
    if (rest < 128) return Buffer.from(octets);
  }
}

const REF = field(1, "r");

test("a Solve as buildx sends it is read", () => {
  const solve = readSolveRequest(
    encode({
      Ref: "ref1",
      Definition: Buffer.alloc(1_000, 1),
      ExporterDeprecated: "image",
      ExporterAttrsDeprecated: { name: "acme/app:1", push: "true" },
      Session: "session1",
      Frontend: "dockerfile.v0",
      FrontendAttrs: {
        "vcs:source": "https://xxxxx:xxxxx@github.com/acme/app.git",
        "vcs:localdir:context": "sub",
        "local-sessionid:context": "shared1",
        "local-sessionid:dockerfile": "shared1",
        "local-sessionid:other": "shared2",
        "build-arg:TOKEN": "S3CRET",
        filename: "Dockerfile",
        target: "release",
      },
      Cache: Buffer.from([1]),
      Entitlements: ["network.host"],
      FrontendInputs: { base: Buffer.alloc(100) },
      Exporters: [
        { Type: "image", Attrs: { push: "true", name: "acme/app:1,acme/app:latest" } },
        { Type: "local", Attrs: {} },
        { Type: "docker", Attrs: { name: "acme/other" } },
      ],
      EnableSessionExporter: true,
      SourcePolicySession: "policy",
      CompatibilityVersion: "30",
      ProxyNetwork: true,
    }),
  );
  expect(solve).toEqual({
    buildRef: "ref1",
    buildSession: "session1",
    inputSessions: ["shared1", "shared2", "policy"],
    isInternal: false,
    isFrontendless: false,
    attrs: new Map([
      ["vcs:source", "https://xxxxx:xxxxx@github.com/acme/app.git"],
      ["vcs:localdir:context", "sub"],
    ]),
    imageNames: ["acme/app:1", "acme/app:1,acme/app:latest", "acme/other"],
    entitlements: ["network.host"],
  });
});

test("a capability probe is internal", () => {
  expect(readSolveRequest(encode({ Ref: "r", Session: "s", Internal: true })).isInternal).toBe(true);
  expect(readSolveRequest(encode({ Ref: "r", Session: "s", Internal: false })).isInternal).toBe(false);
});

test("a Solve without definition and frontend is left to a frontend of its client's", () => {
  const isFrontendless = (request: object) => readSolveRequest(encode({ Ref: "r", ...request })).isFrontendless;
  expect(isFrontendless({ Internal: true, Session: "s" })).toBe(true);
  expect(isFrontendless({ Frontend: "" })).toBe(true);
  expect(isFrontendless({ Frontend: "dockerfile.v0" })).toBe(false);
  expect(isFrontendless({ Definition: Buffer.from([10, 0]) })).toBe(false);
  expect(readSolveRequest(Buffer.concat([REF, field(2, "")])).isFrontendless).toBe(true);
  // A message that is given twice is merged.
  expect(readSolveRequest(Buffer.concat([REF, field(2, "d"), field(2, "")])).isFrontendless).toBe(false);
});

test("a Solve needs nothing but its ref", () => {
  expect(readSolveRequest(encode({ Ref: "r" }))).toEqual({
    buildRef: "r",
    buildSession: "",
    inputSessions: [],
    isInternal: false,
    isFrontendless: true,
    attrs: new Map(),
    imageNames: [],
    entitlements: [],
  });
});

test("the last of a repeated field counts, as everywhere in protobuf", () => {
  const twice = Buffer.concat([
    encode({ Ref: "r1", Session: "s1" }),
    encode({ Ref: "r2", Session: "s2", Internal: true }),
  ]);
  expect(readSolveRequest(twice)).toMatchObject({ buildRef: "r2", buildSession: "s2", isInternal: true });
});

test("of the sessions of source policies the last counts", () => {
  const twice = Buffer.concat([encode({ Ref: "r", SourcePolicySession: "s1" }), encode({ SourcePolicySession: "s2" })]);
  expect(readSolveRequest(twice).inputSessions).toEqual(["s2"]);
});

test("a map's entry may lack its key or value, and have them in either order", () => {
  const entries = [
    field(7, field(2, "no key")),
    field(7, field(1, "vcs:source")),
    field(7, ""),
    field(7, Buffer.concat([field(2, "https://github.com/acme/app"), field(1, "context")])),
    field(7, field(1, "local-sessionid:context")),
    field(13, field(2, field(1, "name"))),
    field(4, field(1, "name")),
    field(15, ""),
  ];
  expect(readSolveRequest(Buffer.concat([REF, ...entries]))).toEqual({
    buildRef: "r",
    buildSession: "",
    inputSessions: [],
    isInternal: false,
    isFrontendless: true,
    attrs: new Map([
      ["vcs:source", ""],
      ["context", "https://github.com/acme/app"],
    ]),
    imageNames: [],
    entitlements: [],
  });
});

test("fields that are not known are stepped over", () => {
  const unknown = [field(99, "x"), Buffer.from([0xa0, 0x06, 0x01]), Buffer.from([0xa5, 0x06, 1, 2, 3, 4])];
  const inAttrs = field(7, Buffer.concat([field(1, "context"), field(9, "x"), field(2, "y")]));
  expect(readSolveRequest(Buffer.concat([...unknown, REF, inAttrs])).attrs.get("context")).toBe("y");
});

test("a build argument that is not UTF-8 is not the gateway's to refuse", () => {
  const broken = Buffer.from([0xff, 0xfe]);
  const solve = readSolveRequest(
    Buffer.concat([
      REF,
      field(7, Buffer.concat([field(1, "build-arg:X"), field(2, broken)])),
      field(7, Buffer.concat([field(1, broken), field(2, "x")])),
      field(13, field(2, Buffer.concat([field(1, "annotation.x"), field(2, broken)]))),
    ]),
  );
  expect(solve.buildRef).toBe("r");
});

describe("a Solve is refused, and what is wrong is named,", () => {
  const broken = Buffer.from([0xff]);
  test.each<[string, Buffer, string]>([
    ["when it is empty", Buffer.alloc(0), "field 1 (Ref) is missing"],
    ["without a ref", encode({ Session: "s" }), "field 1 (Ref) is missing"],
    [
      "with sessions without number",
      encode({
        Ref: "r",
        FrontendAttrs: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`local-sessionid:${i}`, `s${i}`])),
      }),
      "more than 1000 sessions",
    ],
    ["with an empty ref", field(1, ""), "field 1 (Ref) is missing"],
    ["with a ref that is not UTF-8", field(1, broken), "field 1 is not UTF-8"],
    ["with a session that is not UTF-8", Buffer.concat([REF, field(5, broken)]), "field 5 is not UTF-8"],
    ["with a ref that is a number", Buffer.from([0x08, 0x01]), "field 1 is not a string"],
    ["with a session that is a number", Buffer.concat([REF, Buffer.from([0x28, 1])]), "field 5 is not a string"],
    ["with options that are a number", Buffer.concat([REF, Buffer.from([0x38, 1])]), "field 7 has wire type 0"],
    ["with an exporter that is a number", Buffer.concat([REF, Buffer.from([0x68, 1])]), "field 13 has wire type 0"],
    ["with a text where Internal belongs", Buffer.concat([REF, field(11, "x")]), "field 11 has wire type 2"],
    ["with an option that is cut", Buffer.concat([REF, field(7, Buffer.from([0x0a, 9]))]), "field 1 runs past the end"],
    [
      "with an exporter that is cut",
      Buffer.concat([REF, field(13, Buffer.from([0x12, 9]))]),
      "field 2 runs past the end",
    ],
    [
      "with an option's key that is a number",
      Buffer.concat([REF, field(7, Buffer.from([0x08, 1]))]),
      "field 1 has wire type 0",
    ],
    [
      "with an option's value that is a number",
      Buffer.concat([REF, field(7, Buffer.concat([field(1, "context"), Buffer.from([0x10, 1])]))]),
      "field 2 is not a string",
    ],
    ["with a group", Buffer.concat([REF, Buffer.from([0x0b, 0x0c])]), "field 1 has wire type 3"],
    ["with half of it missing", encode({ Ref: "r", Session: "session" }).subarray(0, 7), "field 5 runs past the end"],
  ])("%s", (_what, message, reason) => {
    expect(() => readSolveRequest(message)).toThrow(new ProtobufError(reason));
  });
});

test("a definition of 16 MiB is stepped over without being read or copied", () => {
  const message = Buffer.concat([field(2, Buffer.alloc(16 << 20, 0xff)), encode({ Ref: "r", Session: "s" })]);
  readSolveRequest(message);
  const before = process.memoryUsage();
  const startMs = performance.now();
  for (let i = 0; i < 100; i++) expect(readSolveRequest(message).buildRef).toBe("r");
  expect(performance.now() - startMs).toBeLessThan(500);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 << 20);
});

describe("a Solve that is made to take long is refused before it does", () => {
  const name = field(2, Buffer.concat([field(1, "name"), field(2, "a")]));
  test.each<[string, Buffer]>([
    ["an exporter with a million names", field(13, repeated(name, 1_000_000))],
    ["a million exporters", repeated(field(13, name), 1_000_000)],
    [
      "thousands of exporters with thousands of fields",
      repeated(field(13, repeated(Buffer.from([0x7a, 0]), 1_000)), 8_000),
    ],
    [
      "a million sessions",
      repeated(field(7, Buffer.concat([field(1, "local-sessionid:x"), field(2, "s")])), 1_000_000),
    ],
    ["millions of empty fields", repeated(Buffer.from([0x52, 0x00]), 8_000_000)],
  ])("%s", (_what, fields) => {
    const startMs = performance.now();
    expect(() => readSolveRequest(Buffer.concat([REF, fields]))).toThrow("more than 100000 fields");
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });

  test("while tens of thousands of names are read", () => {
    const message = Buffer.concat([REF, field(13, repeated(name, 30_000))]);
    expect(readSolveRequest(message).imageNames).toHaveLength(30_000);
  });
});

function repeated(bytes: Buffer, times: number): Buffer {
  return Buffer.alloc(bytes.length * times, bytes);
}

test("random bytes are read or refused as what they are", () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets)),
    fc
      .record({ number: fc.constantFrom(1, 4, 5, 7, 11, 13, 15), content: fc.uint8Array({ maxLength: 30 }) })
      .map(({ number, content }) => field(number, Buffer.from(content))),
    fc
      .record({ number: fc.constantFrom(4, 7, 13), key: fc.string(), value: fc.uint8Array({ maxLength: 10 }) })
      .map(({ number, key, value }) => field(number, Buffer.concat([field(1, key), field(2, Buffer.from(value))]))),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      for (const read of [readSolveRequest, readStatusRef]) {
        try {
          read(Buffer.concat(parts));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError);
        }
      }
    }),
    { numRuns: 5_000 },
  );
});

test("whatever a real encoder writes is read as it was", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const request = fc.record({
    Ref: fc.string({ minLength: 1 }),
    Session: text,
    Internal: fc.boolean(),
    FrontendAttrs: fc.dictionary(fc.oneof(text, fc.constantFrom("context", "vcs:source")), text),
    Exporters: fc.array(fc.record({ Type: text, Attrs: fc.dictionary(fc.oneof(text, fc.constant("name")), text) })),
  });
  fc.assert(
    fc.property(request, (sent) => {
      const solve = readSolveRequest(encode(sent));
      expect(solve).toMatchObject({ buildRef: sent.Ref, buildSession: sent.Session, isInternal: sent.Internal });
      expect(solve.attrs.get("context")).toBe(sent.FrontendAttrs.context);
      expect(solve.attrs.get("vcs:source")).toBe(sent.FrontendAttrs["vcs:source"]);
      const names = sent.Exporters.map(({ Attrs }) => Attrs.name).filter((name) => name !== undefined && name !== "");
      expect(solve.imageNames).toEqual(names);
    }),
  );
});

describe("a Status's ref", () => {
  test("is read", () => {
    expect(readStatusRef(field(1, "r"))).toBe("r");
    expect(readStatusRef(Buffer.concat([field(9, "x"), field(1, "r")]))).toBe("r");
    expect(readStatusRef(Buffer.concat([field(1, "first"), field(1, "last")]))).toBe("last");
  });

  test("is empty where there is none", () => {
    expect(readStatusRef(Buffer.alloc(0))).toBe("");
    expect(readStatusRef(field(2, "x"))).toBe("");
  });

  test("is refused where it is no text", () => {
    expect(() => readStatusRef(Buffer.from([0x08, 1]))).toThrow(ProtobufError);
  });
});
