/** How the series of a gauge that several workers tell become one. */
type GaugeRule = "sum" | "max" | "min";

/** Gauges of which each worker has its own share. What else is a gauge is about what all of them look at: the largest counts. */
const SUMMED = [
  /^bkgw_(connections|calls|queued_builds)$/,
  /^bkgw_process_(heap_bytes|max_fds|open_fds|resident_memory_bytes|virtual_memory_bytes)$/,
  /^bkgw_nodejs_(external_memory_bytes|heap_size|heap_space_size)/,
];

/** A worker that has not taken a new certificate yet, or cannot, still shows the old one. */
const LEAST = [/^bkgw_certificate_expiry_timestamp_seconds$/];

/** The state of a replica is the one that a worker has, not one of each. */
const STATES = { family: "bkgw_replica_state", usual: "ready" };

const STATE = /\bstate="([^"]*)"/;

/** A metric with its series by name and labels, as they stand in the text. */
interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Map<string, number>;
}

/** Metrics by name, in the order in which they were told. */
export type Families = ReadonlyMap<string, Family>;

/** Read what prom-client has written (prometheus.io, "Exposition formats", 0.0.4). */
export function readMetrics(text: string): Families {
  const families = new Map<string, Family>();
  let help = "";
  let family: Family | undefined;
  for (const line of text.split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") help = rest;
    else if (kind === "TYPE") {
      family = { type: rest, help, samples: new Map() };
      families.set(name, family);
    } else {
      const end = line.lastIndexOf(" ");
      if (end > 0) family?.samples.set(line.slice(0, end), numberOf(line.slice(end + 1)));
    }
  }
  return families;
}

/**
 * The metrics of several workers as those of one gateway: counters and histograms are added up, gauges by what they
 * measure. `past` is of workers that have ended: what they have counted still happened, what they measured is no more.
 */
export function sumMetrics(living: readonly Families[], past: Families = new Map()): Families {
  const result = new Map<string, Family>();
  for (const families of [...living, past]) {
    for (const [name, { type, help, samples }] of families) {
      if (families === past && type === "gauge") continue;
      const family = result.get(name) ?? { type, help, samples: new Map<string, number>() };
      result.set(name, family);
      const rule = type === "gauge" ? ruleOf(name) : "sum";
      if (name === STATES.family) addStates(family.samples, samples);
      else for (const [series, value] of samples) add(family.samples, series, value, rule);
    }
  }
  return result;
}

/** In Prometheus' text format again. */
export function writeMetrics(families: Families): string {
  return [...families]
    .map(([name, { type, help, samples }]) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...[...samples].map(([series, value]) => `${series} ${textOf(value)}`),
        "",
      ].join("\n"),
    )
    .join("\n");
}

function ruleOf(name: string): GaugeRule {
  if (SUMMED.some((pattern) => pattern.test(name))) return "sum";
  return LEAST.some((pattern) => pattern.test(name)) ? "min" : "max";
}

function add(samples: Map<string, number>, series: string, value: number, rule: GaugeRule): void {
  const known = samples.get(series);
  if (known === undefined || Number.isNaN(known)) samples.set(series, value);
  else if (!Number.isNaN(value)) samples.set(series, rule === "sum" ? known + value : Math[rule](known, value));
}

/** Keep one worker's whole view of each replica: the first that does not see it as usual, else the first. */
function addStates(known: Map<string, number>, told: ReadonlyMap<string, number>): void {
  const before = new Set([...known.keys()].map(setOf));
  const [usualBefore, usualNow] = [usualSets(known), usualSets(told)];
  for (const [series, value] of told) {
    const set = setOf(series);
    if (!before.has(set) || (usualBefore.has(set) && !usualNow.has(set))) known.set(series, value);
  }
}

/** Of what a series tells one of several states. */
function setOf(series: string): string {
  return series.replace(STATE, "");
}

function usualSets(samples: ReadonlyMap<string, number>): Set<string> {
  const usual = [...samples].filter(([series, value]) => value === 1 && STATE.exec(series)?.[1] === STATES.usual);
  return new Set(usual.map(([series]) => setOf(series)));
}

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

function textOf(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
