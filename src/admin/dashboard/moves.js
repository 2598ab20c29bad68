/** How fast bytes move for each build that runs: from one piece of news to the next. */

import { rate, size } from "./elements.js";

let lastAtMs;
let lastBytes = new Map();
let rates = new Map();

const bytesOf = ({ receivedBytes, sentBytes }) => receivedBytes + sentBytes;

const idOf = ({ pool, buildRef }) => `${pool} ${buildRef}`;

/** News have come. */
export function noteMoves({ at, running }) {
  const atMs = Date.parse(at);
  const seconds = (atMs - lastAtMs) / 1_000;
  const rateOf = (build) => {
    const before = lastBytes.get(idOf(build));
    return before === undefined || !(seconds > 0) ? 0 : Math.max(0, (bytesOf(build) - before) / seconds);
  };
  rates = new Map(running.map((build) => [idOf(build), rateOf(build)]));
  lastBytes = new Map(running.map((build) => [idOf(build), bytesOf(build)]));
  lastAtMs = atMs;
}

/** `3.2 MB moved`, and how fast while more comes. */
export function movesText(build) {
  const perSecond = rates.get(idOf(build)) ?? 0;
  const moved = `${size(bytesOf(build))} moved`;
  return perSecond > 0 ? `${moved}, ${rate(perSecond)}` : moved;
}
