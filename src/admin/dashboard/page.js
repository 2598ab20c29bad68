/** The dashboard: shows what `/events` tells. */

import { showCharts } from "./charts.js";
import {
  byId,
  make,
  makeRow,
  part,
  rate,
  reconcile,
  setAge,
  setName,
  setState,
  setText,
  span,
  tick,
} from "./elements.js";
import { showPools } from "./replicas.js";

function showHealth(status) {
  const replicas = status.pools.flatMap((pool) => pool.replicas);
  const discovery = status.pools.flatMap((pool) => pool.discovery);
  const isOdd =
    status.note !== undefined ||
    replicas.some(({ state }) => state === "ejected") ||
    discovery.some(({ state }) => state !== "live");
  const state = status.isReady ? (isOdd ? "degraded" : "ok") : "down";
  setState(byId("health"), state, { ok: "all is well", degraded: "needs a look", down: "takes no builds" }[state]);
  setText(byId("note"), status.note ?? "");
  setText(byId("version"), status.version);
}

let lastTraffic;

function showNumbers(status) {
  const sum = (read) => status.pools.reduce((total, pool) => total + read(pool), 0);
  const keyed = status.minutes.reduce((total, minute) => total + minute.keyed, 0);
  const warm = status.minutes.reduce((total, minute) => total + minute.warm, 0);
  const wait = Math.max(0, ...status.minutes.map(({ waitMs }) => waitMs));
  const { traffic } = status;
  const bytes = traffic.receivedBytes + traffic.sentBytes;
  const atMs = Date.parse(status.at);
  const seconds = lastTraffic && atMs > lastTraffic.atMs ? (atMs - lastTraffic.atMs) / 1_000 : undefined;
  const perSecond = seconds === undefined ? 0 : Math.max(0, bytes - lastTraffic.bytes) / seconds;
  lastTraffic = { atMs, bytes };
  const numbers = [
    ["Builds running", String(sum((pool) => pool.running))],
    ["Builds waiting", String(sum((pool) => pool.queued))],
    ["Replicas ready", `${sum((pool) => pool.readyReplicas)} of ${sum((pool) => pool.replicaCount)}`],
    ["Warm, last hour", keyed === 0 ? "–" : `${Math.round((100 * warm) / keyed)} %`],
    ["Longest wait, last hour", span(wait)],
    ["Moving", rate(perSecond)],
    ["Clients", String(traffic.connections)],
  ];
  reconcile(
    byId("numbers"),
    numbers,
    ([name]) => name,
    ([name]) => {
      const box = make("div", "number");
      box.append(make("dt", "", name), make("dd"));
      return box;
    },
    (box, [, value]) => setText(box.querySelector("dd"), value),
  );
}

function showList(id, items, keyOf, update) {
  reconcile(byId(id), items, keyOf, makeRow, update);
  const empty = byId(`${id}-empty`);
  if (empty) empty.hidden = items.length > 0;
}

function showQueue(status) {
  const waiting = status.pools.flatMap((pool) =>
    pool.waiting.map((build, index) => ({ ...build, pool: pool.name, position: index + 1 })),
  );
  showList(
    "queue",
    waiting,
    (build) => `${build.pool} ${build.position}`,
    (row, build) => {
      setName(row, { name: build.key });
      const where = status.pools.length > 1 ? `${build.pool}, ` : "";
      setState(part(row, "chip"), "waiting", `${where}number ${build.position}`);
      setAge(part(row, "when"), build.waitedMs);
      setText(part(row, "why"), build.cause);
    },
  );
}

function updateEnded(row, build) {
  setName(row, build);
  setState(part(row, "chip"), build.outcome);
  const reason = build.reason === "none" ? "" : build.reason;
  setText(part(row, "more"), [build.replica, reason, build.job].filter(Boolean).join(" · "));
  const agoMs = Date.now() - Date.parse(build.endedAt);
  setAge(part(row, "when"), agoMs, (ms) => `${span(build.ranMs)} · ${span(ms)} ago`);
  setText(part(row, "why"), build.cause ?? "");
}

function showAround(status) {
  const certificates = status.certificates.map(({ setting, expiresAt }) => {
    const leftMs = Date.parse(expiresAt) - Date.parse(status.at);
    const state = leftMs <= 0 ? "over" : leftMs < 14 * 86_400_000 ? "soon" : "ok";
    return { name: setting, state, text: leftMs <= 0 ? "has ended" : `ends in ${span(leftMs)}`, why: expiresAt };
  });
  const sources = status.pools.flatMap((pool) =>
    pool.discovery.map(({ source, state, ageMs, reason }) => ({
      name: status.pools.length > 1 ? `${pool.name}: ${source}` : source,
      state: state === "live" ? "ok" : "stale",
      text: ageMs === undefined ? state : `${state}, ${span(ageMs)} old`,
      why: reason ?? "",
    })),
  );
  const since = {
    name: "This gateway",
    state: "ok",
    text: `runs for ${span(Date.parse(status.at) - Date.parse(status.startedAt))}`,
    why: "",
  };
  showList(
    "around",
    [since, ...sources, ...certificates],
    ({ name }) => name,
    (row, { name, state, text, why }) => {
      setName(row, { name });
      setState(part(row, "chip"), state, text);
      setText(part(row, "why"), why);
    },
  );
}

/** What a screen reader is told: changes of replicas and of the connection, and nothing else. */
let lastStates = new Map();

function tellNews(status) {
  const states = new Map(
    status.pools.flatMap((pool) => pool.replicas.map(({ name, state }) => [`${pool.name}/${name}`, state])),
  );
  const changed = [...states].filter(([name, state]) => lastStates.size > 0 && lastStates.get(name) !== state);
  if (changed.length > 0) {
    setText(
      byId("news"),
      changed
        .slice(0, 3)
        .map(([name, state]) => `${name} is ${state}`)
        .join(", "),
    );
  }
  lastStates = states;
}

function show(status) {
  showHealth(status);
  showNumbers(status);
  showCharts(status);
  showPools(status);
  showQueue(status);
  const keyOf = ({ pool, buildRef, endedAt }) => `${pool} ${buildRef} ${endedAt}`;
  showList("failures", status.failures, keyOf, updateEnded);
  showList("ended", status.ended.slice(0, 20), keyOf, updateEnded);
  showAround(status);
  tellNews(status);
}

function setConnection(state) {
  if (document.body.dataset.connection === state) return;
  document.body.dataset.connection = state;
  const lost = state === "lost";
  if (lost) setText(byId("news"), "connection lost");
  else setText(byId("news"), "connected");
}

let lastNewsMs = performance.now();

let shownVersion;

function receive({ data }) {
  const status = JSON.parse(data);
  // Another version of the gateway has another page.
  if (shownVersion !== undefined && status.version !== shownVersion) location.reload();
  shownVersion = status.version;
  lastNewsMs = performance.now();
  setConnection("live");
  show(status);
}

let events;
let openedMs;

function connect() {
  events = new EventSource("events");
  openedMs = performance.now();
  events.addEventListener("status", receive);
  events.addEventListener("error", () => setConnection("lost"));
}

connect();

/** A browser gives up where the answer is an error, such as of what stands before a gateway that is being replaced. */
const REOPEN_MS = 5_000;

/** Something comes each ten seconds, news or not. */
const SILENT_MS = 15_000;

setInterval(() => {
  tick();
  const silentMs = performance.now() - lastNewsMs;
  if (silentMs > SILENT_MS) setConnection("lost");
  const isLost = document.body.dataset.connection === "lost";
  setText(byId("link"), isLost ? `connection lost, as of ${span(silentMs)} ago` : "live");
  if (events.readyState === EventSource.CLOSED && performance.now() - openedMs > REOPEN_MS) connect();
}, 1_000);
