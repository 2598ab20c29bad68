/** One value of Prometheus' text format. */
export interface MetricValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** All values in a text that Prometheus would read, in its order. */
export function readMetrics(text: string): MetricValue[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label, content]) => [label, content]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** The sum of all values of a name, those with these labels only. */
export function sumOf(
  metrics: readonly MetricValue[],
  name: string,
  wanted: Readonly<Record<string, string>> = {},
): number {
  const isWanted = ({ labels }: MetricValue) =>
    Object.entries(wanted).every(([label, content]) => labels[label] === content);
  return metrics
    .filter((metric) => metric.name === name && isWanted(metric))
    .reduce((sum, { value }) => sum + value, 0);
}
