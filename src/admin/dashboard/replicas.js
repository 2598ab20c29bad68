import { byId, make, makeRow, part, reconcile, setAge, setName, setState, setText, span } from "./elements.js";
import { movesText, noteMoves } from "./moves.js";

function makePool() {
  const section = make("section", "pool");
  section.append(make("h2"), make("ul", "lanes"));
  return section;
}

function makeLane() {
  const lane = make("li", "lane");
  const head = make("div", "lane-head");
  head.append(make("h3"), make("span", "chip state"), make("span", "quiet small since"), make("span", "quiet load"));
  const meter = make("div", "meter");
  meter.append(make("span"));
  meter.setAttribute("aria-hidden", "true");
  lane.append(head, meter, make("p", "small reason"), make("ul", "rows builds"));
  lane.append(make("p", "quiet small others"), make("p", "quiet small warm"), make("p", "quiet small facts"));
  return lane;
}

function updateLane(lane, replica, builds, maxBuilds) {
  setText(lane.querySelector("h3"), replica.name);
  setState(part(lane, "state"), replica.state, replica.isDrained ? `${replica.state}, by an operator` : replica.state);
  setAge(part(lane, "since"), replica.sinceMs);
  setText(part(lane, "load"), maxBuilds > 0 ? `${replica.running} of ${maxBuilds}` : `${replica.running} running`);
  const share = maxBuilds > 0 ? replica.running / maxBuilds : Math.min(1, replica.running / 8);
  lane.querySelector(".meter > span").style.width = `${Math.round(100 * Math.min(1, share))}%`;
  setText(part(lane, "reason"), replica.reason ?? "");
  reconcile(
    part(lane, "builds"),
    builds,
    ({ buildRef }) => buildRef,
    makeRow,
    (row, build) => {
      setName(row, build);
      setState(part(row, "chip"), build.reason);
      setText(part(row, "more"), build.job ?? "");
      setAge(part(row, "when"), build.ranMs);
      const { steps, waitedMs } = build;
      const told = [
        steps && `${steps.done} of ${steps.total} steps`,
        movesText(build),
        waitedMs >= 1_000 && `waited ${span(waitedMs)}`,
      ];
      setText(part(row, "why"), told.filter(Boolean).join(" · "));
    },
  );
  const others = replica.running - builds.length;
  setText(part(lane, "others"), others > 0 ? `and ${others} of another gateway or client` : "");
  const { keys, count } = replica.warm;
  const rest = count > keys.length ? ` and ${count - keys.length} more` : "";
  setText(part(lane, "warm"), count === 0 ? "Nothing is known to be warm here." : `Warm: ${keys.join(", ")}${rest}`);
  const facts = [replica.version, replica.platforms?.[0], replica.nodeName, replica.zone];
  setText(part(lane, "facts"), facts.filter(Boolean).join(" · "));
}

export function showPools(status) {
  noteMoves(status);
  reconcile(
    byId("pools"),
    status.pools,
    ({ name }) => name,
    makePool,
    (section, pool) => {
      setText(section.querySelector("h2"), status.pools.length > 1 ? `Replicas of ${pool.name}` : "Replicas");
      section.setAttribute("aria-label", `Replicas of pool ${pool.name}`);
      reconcile(
        section.querySelector(".lanes"),
        pool.replicas,
        ({ name }) => name,
        makeLane,
        (lane, replica) => {
          const here = status.running.filter((build) => build.pool === pool.name && build.replica === replica.name);
          updateLane(lane, replica, here, pool.maxBuilds);
        },
      );
    },
  );
}
