/** What one replica tells Prometheus. */
export interface ReplicaExposition {
  /** Labels that each of its series gets. */
  readonly labels: Readonly<Record<string, string>>;
  /** In Prometheus' text format, version 0.0.4. */
  readonly text: string;
}

/** One name, and all series of it. */
interface Family {
  help: string | undefined;
  type: string | undefined;
  readonly lines: string[];
}

/** `name{labels} value timestamp` (prometheus.io, "Exposition formats"). */
const SAMPLE =
  /^([A-Za-z_:][\w:]*)(?:\{((?:[A-Za-z_]\w*="(?:[^"\\]|\\.)*",?)*)\})? +([+-]?(?:[\d.]+(?:e[+-]?\d+)?|Inf)|NaN)(?: +-?\d+)? *$/i;

const COMMENT = /^# (HELP|TYPE) ([A-Za-z_:][\w:]*) (.*)$/;

const TYPES = ["counter", "gauge", "histogram", "summary", "untyped"];

/** Names that a family's own series may end in. */
const PARTS = /_(?:bucket|sum|count)$/;

/**
 * The metrics of several replicas as one text: each family once, each series
 * with its replica's labels. Lines that are none are left out, and so are
 * times: what is old must not look new.
 */
export function mergeMetrics(expositions: readonly ReplicaExposition[]): string {
  const families = new Map<string, Family>();
  for (const { labels, text } of expositions) {
    const added = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
    for (const line of text.split("\n")) addLine(families, line, labels, added);
  }
  return [...families]
    .filter(([, { lines }]) => lines.length > 0)
    .map(([name, { help, type, lines }]) =>
      [
        ...(help === undefined ? [] : [`# HELP ${name} ${help}`]),
        ...(type === undefined ? [] : [`# TYPE ${name} ${type}`]),
        ...lines,
        "",
      ].join("\n"),
    )
    .join("");
}

function addLine(
  families: Map<string, Family>,
  line: string,
  labels: ReplicaExposition["labels"],
  added: readonly string[],
): void {
  const [, kind, about = "", text = ""] = COMMENT.exec(line) ?? [];
  if (kind !== undefined) {
    const family = familyOf(families, about);
    if (kind === "HELP") family.help ??= text;
    else if (TYPES.includes(text)) family.type ??= text;
    return;
  }
  const [, name, own = "", value] = SAMPLE.exec(line) ?? [];
  if (name === undefined) return;
  // A label of the replica's own that we give, too, is known by another name (prometheus.io, honor_labels).
  const kept = own
    .replace(/,$/, "")
    .replace(/(^|,)([A-Za-z_]\w*)=/g, (whole, comma, label) =>
      label in labels ? `${comma}exported_${label}=` : whole,
    );
  const all = [...added, ...(kept === "" ? [] : [kept])].join(",");
  familyOf(families, baseName(families, name)).lines.push(`${name}${all === "" ? "" : `{${all}}`} ${value}`);
}

/** The family of a series: of `x_bucket` it is `x`, where `x` is a histogram. */
function baseName(families: ReadonlyMap<string, Family>, name: string): string {
  const base = name.replace(PARTS, "");
  const type = base === name ? undefined : families.get(base)?.type;
  return type === "histogram" || type === "summary" ? base : name;
}

function familyOf(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (!family) {
    family = { help: undefined, type: undefined, lines: [] };
    families.set(name, family);
  }
  return family;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
