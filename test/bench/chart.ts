import { MEASURES } from "./measures.ts";
import type { Results } from "./results.ts";
import { TARGET_NAMES, type TargetName } from "./targets/target.ts";
import { type FigureName, UNITS } from "./units.ts";

/** Readable on light and on dark grounds. */
const COLOURS: Readonly<Record<TargetName, string>> = {
  direct: "#8b949e",
  gateway: "#1f6feb",
  nginx: "#2da44e",
  haproxy: "#bf8700",
  "nginx-stream": "#8ccf9f",
  "haproxy-tcp": "#e0c07a",
};

const INK = "#6e7781";

const WIDTH = 860;
const BAR_HEIGHT = 14;
const BAR_GAP = 3;
const LABELS = 150;
const VALUES = 130;
const HEAD = 26;

/** What a chart shows of each kind of measure: what a proxy costs, else what it holds. */
const SHOWN: readonly FigureName[] = ["cpu", "memory"];

/** The medians as bars, an SVG document: for each measure what each proxy costs, so that shorter is better. */
export function renderChart(results: Results): string {
  const parts: string[] = [];
  let top = 10;
  for (const { name, kind } of MEASURES) {
    const targets = results.measures[name];
    const figure = SHOWN.find((each) => UNITS[kind][each]);
    const unit = figure && UNITS[kind][figure];
    if (!targets || !figure || !unit) continue;
    const bars = TARGET_NAMES.flatMap((target) => {
      const value = targets[target]?.figures[figure]?.median;
      return value === undefined ? [] : [{ target, value }];
    });
    if (bars.length < 2) continue;
    parts.push(text(10, top + 14, `${name}: ${unit.head}`, "start", 'font-weight="600"'));
    top += HEAD;
    const longest = Math.max(...bars.map(({ value }) => value));
    for (const { target, value } of bars) {
      const width = Math.max(1, ((WIDTH - LABELS - VALUES) * value) / longest);
      parts.push(text(LABELS - 8, top + 11, target, "end"));
      parts.push(
        `<rect x="${LABELS}" y="${top}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${COLOURS[target]}"/>`,
      );
      parts.push(text(LABELS + width + 8, top + 11, value.toFixed(unit.digits), "start"));
      top += BAR_HEIGHT + BAR_GAP;
    }
    top += 12;
  }
  const title = `What a proxy costs: medians of ${results.rounds} rounds; shorter is better`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="12">
<title>${title}</title>
${parts.join("\n")}
</svg>
`;
}

function text(x: number, y: number, words: string, anchor: "start" | "end", more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" fill="${INK}" ${more}>${words}</text>`;
}
