import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeMetrics } from "../../../src/admin/merge-metrics.ts";

const HISTOGRAM = `# HELP rpc_seconds Time.
# TYPE rpc_seconds histogram
rpc_seconds_bucket{method="Solve",le="1"} 2
rpc_seconds_bucket{method="Solve",le="+Inf"} 3
rpc_seconds_sum{method="Solve"} 4.5e-01
rpc_seconds_count{method="Solve"} 3
# HELP go_threads Threads.
# TYPE go_threads gauge
go_threads 7
`;

test("the families of several replicas are told once each, with whose each series is", () => {
  const merged = mergeMetrics([
    { labels: { replica: "a" }, text: HISTOGRAM },
    { labels: { replica: "b" }, text: '# TYPE go_threads counter\ngo_threads{replica="x",} 8 1700000000000\n' },
  ]);
  expect(merged).toBe(`# HELP rpc_seconds Time.
# TYPE rpc_seconds histogram
rpc_seconds_bucket{replica="a",method="Solve",le="1"} 2
rpc_seconds_bucket{replica="a",method="Solve",le="+Inf"} 3
rpc_seconds_sum{replica="a",method="Solve"} 4.5e-01
rpc_seconds_count{replica="a",method="Solve"} 3
# HELP go_threads Threads.
# TYPE go_threads gauge
go_threads{replica="a"} 7
go_threads{replica="b",exported_replica="x"} 8
`);
});

test("labels are escaped, values of all kinds are kept, and lines that are none are left out", () => {
  const text =
    'a{l="quo\\"te, replica=\\"no\\""} NaN\nb +Inf\nc -1e+09\n<html>\nd{l="open} 1\ne{=} 1\nf 1 2 3\n# EOF\ng one\n';
  expect(
    mergeMetrics([{ labels: { replica: 'w"eird\\\n' }, text }])
      .trimEnd()
      .split("\n"),
  ).toEqual([
    'a{replica="w\\"eird\\\\\\n",l="quo\\"te, replica=\\"no\\""} NaN',
    'b{replica="w\\"eird\\\\\\n"} +Inf',
    'c{replica="w\\"eird\\\\\\n"} -1e+09',
  ]);
});

test("whatever a replica sends, each line is a comment or a series of its own", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...HISTOGRAM.split("\n")),
    fc.string().map((text) => `x{l="${text}"} 1`),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      for (const told of mergeMetrics([{ labels: { replica: "a" }, text: lines.join("\n") }]).split("\n")) {
        if (told !== "" && !told.startsWith("# ")) expect(told).toMatch(/^[A-Za-z_:][\w:]*\{replica="a"[,}]/);
      }
    }),
  );
});
