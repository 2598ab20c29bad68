import fc from "fast-check";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { editToml, type TomlEdit } from "../../../src/trust/toml-edit.ts";
import { scanToml } from "../../../src/trust/toml-scan.ts";

const CA: TomlEdit = { t: "include", path: ["registry", "harbor:5000", "ca"], value: "/trust/ca.pem" };
const BINARY: TomlEdit = { t: "set", path: ["worker", "oci", "binary"], value: "/trust/runc" };

function edited(text: string, ...edits: TomlEdit[]): string {
  const outcome = editToml(text, edits);
  if (outcome.t === "refused") throw new Error(`line ${outcome.line}: ${outcome.reason}`);
  // Whoever reads it takes the edit as meant, and a second time changes nothing.
  const again = editToml(outcome.text, edits);
  expect(again).toEqual(outcome);
  return outcome.text;
}

test.each<[string, string, string]>([
  ["an empty file", "", '[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n'],
  [
    "no such table",
    "debug = true # yes\n",
    'debug = true # yes\n\n[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n',
  ],
  ["no line end", "debug = true", 'debug = true\n\n[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n'],
  [
    "a table with other keys, in its own style",
    "[registry.'harbor:5000'] # ours\n\thttp=false\n[grpc]\n",
    "[registry.'harbor:5000'] # ours\n\tca = [\"/trust/ca.pem\"]\n\thttp=false\n[grpc]\n",
  ],
  ["an empty table at the end", '[registry."harbor:5000"]', '[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n'],
  [
    "a list with other files",
    '[ registry . "harbor:5000" ]\nca=[ "/a.pem" ]\n',
    '[ registry . "harbor:5000" ]\nca=[ "/a.pem", "/trust/ca.pem" ]\n',
  ],
  [
    "a list over several lines with comments and a comma at its end",
    '[registry."harbor:5000"]\nca = [\n  "/a.pem", # "]"\n]\n',
    '[registry."harbor:5000"]\nca = [\n  "/a.pem", "/trust/ca.pem", # "]"\n]\n',
  ],
  ["an empty list", '[registry."harbor:5000"]\nca = []', '[registry."harbor:5000"]\nca = ["/trust/ca.pem"]'],
  ["a key with dots", 'registry."harbor:5000".ca = ["/a"]\n', 'registry."harbor:5000".ca = ["/a", "/trust/ca.pem"]\n'],
  [
    "a table made by keys with dots",
    '[registry]\n  "harbor:5000".http = false\n',
    '[registry]\n  "harbor:5000".ca = ["/trust/ca.pem"]\n  "harbor:5000".http = false\n',
  ],
  [
    "an inline table",
    '[registry]\n"harbor:5000" = { http = false }\n',
    '[registry]\n"harbor:5000" = { http = false, ca = ["/trust/ca.pem"] }\n',
  ],
  ["an empty inline table", "registry = {}\n", 'registry = { "harbor:5000".ca = ["/trust/ca.pem"] }\n'],
  [
    "an inline table with the list in it",
    'registry = { "harbor:5000" = { ca = ["/a"] }, x = { http = true } }\n',
    'registry = { "harbor:5000" = { ca = ["/a", "/trust/ca.pem"] }, x = { http = true } }\n',
  ],
  [
    "only a table below",
    '[[registry."harbor:5000".keypair]]\nkey = "k"\n',
    '[[registry."harbor:5000".keypair]]\nkey = "k"\n\n[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n',
  ],
  [
    "lines that end in CR LF",
    '[registry."harbor:5000"]\r\nhttp = false\r\n',
    '[registry."harbor:5000"]\r\nca = ["/trust/ca.pem"]\r\nhttp = false\r\n',
  ],
  [
    "look-alikes in comments and texts",
    '# [registry."harbor:5000"]\na = """\n[registry."harbor:5000"]\n"""\nb = \'\'\'ca = []\'\'\'\n',
    '# [registry."harbor:5000"]\na = """\n[registry."harbor:5000"]\n"""\nb = \'\'\'ca = []\'\'\'\n\n[registry."harbor:5000"]\n  ca = ["/trust/ca.pem"]\n',
  ],
])("an authority goes into %s", (_what, before, after) => {
  const text = edited(before, CA);
  expect(text).toBe(after);
  const document = parse(text) as { registry: Record<string, { ca: string[] }> };
  expect(document.registry["harbor:5000"]!.ca).toContain("/trust/ca.pem");
});

test("a list that has the file stays byte for byte", () => {
  const text = '[registry."harbor:5000"]\n  ca = [ \'/trust/ca.pem\' , "/b" ]   # kept\n';
  expect(edited(text, CA)).toBe(text);
});

test("the worker's binary is set in its table, and replaced where it was another", () => {
  expect(edited("[worker.oci]\n  rootless = true\n", BINARY)).toBe(
    '[worker.oci]\n  binary = "/trust/runc"\n  rootless = true\n',
  );
  expect(edited('[worker.oci]\nbinary = "crun" # fast\n', BINARY)).toBe(
    '[worker.oci]\nbinary = "/trust/runc" # fast\n',
  );
});

test.each<[string, string, string]>([
  [
    "a list that is a text",
    '[registry."harbor:5000"]\nca = "/a"\n',
    "line 2: registry.harbor:5000.ca is not an array of strings",
  ],
  ["a registry that is a number", "\nregistry = 3\n", "line 2: registry is not a table"],
  ["an array of tables", '[[registry."harbor:5000"]]\n', "line 1: registry.harbor:5000 is an array of tables"],
  ["a list without its end", '[registry."harbor:5000"]\nca = ["/a"\n', "line 3: no , or ] after a value"],
  ["a text without its end", 'a = 1\nb = "x\n', "line 2: a string without its end"],
  ["something that is not TOML", "a: 1\n", "line 1: no = after the key"],
  ["nesting without end", `a = ${"[".repeat(1_000)}`, "line 1: nested more than 32 deep"],
])("%s is refused with its line", (_what, text, fault) => {
  expect(() => edited(text, CA)).toThrow(fault);
});

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

test(`any text is scanned in time and never throws (FUZZ_SEED=${SEED})`, () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "'''",
    ".",
    "=",
    ",",
    "\n",
    "\r\n",
    "#",
    "\\",
    "a",
    "ca",
    " ",
    "1",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const outcome = editToml(pieces.join(""), [CA]);
      // What a TOML reader takes, it takes after the edit, too.
      if (outcome.t === "edited" && isToml(pieces.join(""))) expect(isToml(outcome.text)).toBe(true);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});

/** Ways to write, or not to write, what a document says of the registry; the last may leave `registry` itself inline. */
const REGISTRY_FORMS = [
  "",
  '[registry."harbor:5000"]\n',
  "[ registry . 'harbor:5000' ] # ours\n\thttp = false\n",
  '[registry."harbor:5000"]\nca = ["/a", # "]"\n "/b" ,\n]\nhttp=true\n',
  '[registry."harbor\\u003a5000"]\nca=[]\n',
  '[registry]\n"harbor:5000".http = true\n',
  '[registry]\n"harbor:5000" = {}\n',
  "[registry]\n'harbor:5000' = { http = true, mirrors = [\"m\"] }\n",
  "[registry]\n\"harbor:5000\".ca = ['/trust/ca.pem']\n",
  '[[registry."harbor:5000".keypair]]\nkey = "k"\ncert = "c"\n[[registry."harbor:5000".keypair]]\nkey = "l"\n',
];
const ROOT_FORMS = ["", 'registry."harbor:5000".http = true\n', 'registry."other".http = true\n', "registry = {}\n"];
const NOISE = [
  '# [registry."harbor:5000"]\n',
  "[worker.oci]\n  binary = 'crun'\n  gc = true\n",
  "[[worker.oci.gcpolicy]]\n  all = true\n  filters = [ \"type==x\", 'y' ]\n",
  '[log]\nformat = """\nca = []\n[registry]\n"""\n',
  '[registry."docker.io"]\n  mirrors = ["m"]\n',
  "[history]\nmaxAge = 172_800 # s\nd = 1979-05-27 07:32:00Z\nf = -inf\n",
  "\n\n",
];

test(`whatever a document looks like, it says the same as before and the new thing (FUZZ_SEED=${SEED})`, () => {
  const document = fc
    .tuple(
      fc.constantFrom(...ROOT_FORMS),
      fc.constantFrom(...REGISTRY_FORMS),
      fc.shuffledSubarray(NOISE),
      fc.nat(NOISE.length),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([root, registry, noise, place, isCrLf, hasEnd]) => {
      const parts = [...noise.slice(0, place), registry, ...noise.slice(place)];
      const text = `debug = true\n${root}${parts.join("")}`;
      return (hasEnd ? text : text.trimEnd()).replaceAll("\n", isCrLf ? "\r\n" : "\n");
    })
    .filter(isToml);
  fc.assert(
    fc.property(document, (text) => {
      const after = parse(edited(text, CA, BINARY)) as Document;
      const expected = parse(text) as Document;
      expected.registry = { ...expected.registry };
      const registry = { ...expected.registry["harbor:5000"] };
      const had = registry.ca ?? [];
      registry.ca = had.includes("/trust/ca.pem") ? had : [...had, "/trust/ca.pem"];
      expected.registry["harbor:5000"] = registry;
      expected.worker = { ...expected.worker, oci: { ...expected.worker?.oci, binary: "/trust/runc" } };
      expect(after).toEqual(expected);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});

/** The part of a buildkitd.toml that is edited. */
interface Document {
  registry?: Record<string, { ca?: string[] }>;
  worker?: { oci?: { binary?: string } };
}

test("a document of ten thousand tables is scanned, and one of a hundred thousand refused", () => {
  expect(scanToml("[a]\nb = 1\n".repeat(9_000)).t).toBe("scanned");
  expect(scanToml("[a]\nb = 1\n".repeat(100_000))).toMatchObject({ t: "malformed", reason: "more than 20000 keys" });
});

function isToml(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
