import { byId, make, setText, span } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";

const CHART = { width: 360, height: 80, top: 12, minutes: 60 };

/** Bars of the last hour, one a minute; `read` gives the heights that stand on each other. */
function drawBars(id, status, read, write, least) {
  const svg = byId(id);
  const now = Math.floor(Date.parse(status.at) / 60_000);
  const bars = status.minutes.map((minute) => ({ ago: now - Date.parse(minute.at) / 60_000, parts: read(minute) }));
  const most = Math.max(least, ...bars.map(({ parts }) => parts.reduce((sum, [size]) => sum + size, 0)));
  const step = CHART.width / CHART.minutes;
  const room = CHART.height - CHART.top;
  const shapes = bars.flatMap(({ ago, parts }) => {
    let y = CHART.height;
    return parts
      .filter(([size]) => size > 0)
      .map(([size, className]) => {
        const height = Math.max(1, (size / most) * room);
        y -= height;
        return shape("rect", { class: className, x: CHART.width - (ago + 1) * step, y, width: step - 1, height });
      });
  });
  svg.setAttribute("viewBox", `0 0 ${CHART.width} ${CHART.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const scale = write(most);
  svg.setAttribute("aria-label", `${bars.length} minutes with builds, at most ${scale}`);
  const base = shape("line", { class: "axis", x1: 0, x2: CHART.width, y1: CHART.height - 0.5, y2: CHART.height - 0.5 });
  svg.replaceChildren(base, ...shapes);
  const caption = svg.parentElement.querySelector("figcaption");
  let most_ = caption.querySelector(".most");
  if (!most_) {
    most_ = make("span", "most");
    caption.append(" ", most_);
  }
  setText(most_, `· up to ${scale}`);
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

export function showCharts(status) {
  drawBars(
    "chart-builds",
    status,
    ({ builds, failed }) => [
      [builds - failed, "bar"],
      [failed, "bar-bad"],
    ],
    String,
    1,
  );
  drawBars(
    "chart-warm",
    status,
    ({ warm, keyed }) => [[keyed === 0 ? 0 : warm / keyed, "bar"]],
    () => "100 %",
    1,
  );
  drawBars("chart-wait", status, ({ waitMs }) => [[waitMs, "bar"]], span, 1_000);
}
