import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import {
  brokenPlacer,
  gatedRig,
  probe,
  RoutingRig,
  type ScriptedCall,
  ScriptedClient,
  settled,
  solve,
} from "./routing-rig.ts";

/** What may happen, by any of three clients to any of four builds, all of which share a session. */
const STEP = fc.record({
  what: fc.constantFrom(
    ...(["solve", "solve", "probe", "session", "shared", "status", "bridge", "other"] as const),
    ...(["end", "gone", "unreachable", "settle", "settle", "let place", "tell", "ping", "return"] as const),
  ),
  client: fc.nat({ max: 2 }),
  build: fc.nat({ max: 3 }),
});

test("whatever happens, a build has one replica, each call one answer, and nothing is left in the end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 60 }), async (steps) => {
      const { rig, gate } = gatedRig(["a", "b", "c", "d"]);
      const clients = [new ScriptedClient(), new ScriptedClient(), new ScriptedClient()];
      const open: ScriptedCall[][] = [[], [], []];
      /** Names of the calls of each build. */
      const ofBuild: string[][] = [[], [], [], []];
      let count = 0;
      for (const { what, client: at, build } of steps) {
        const client = clients[at]!;
        const ref = `r${build}`;
        const name = `${what}-${ref}-${count++}`;
        const shares = build % 2 === 0 ? ["shared"] : [];
        const attrs = new Map([["vcs:source", `https://github.com/acme/${ref}`]]);
        switch (what) {
          case "solve":
            open[at]!.push(rig.solve(client, solve(ref, { attrs, inputSessions: shares }), name));
            break;
          case "probe":
            open[at]!.push(rig.solve(client, probe(`p${build}`), name));
            break;
          case "ping":
            open[at]!.push(rig.ping(client, `p${build}`, name));
            break;
          case "return":
            open[at]!.push(rig.returned(client, `p${build}`, name));
            break;
          case "tell":
            gate.tell({ position: 1, length: 1, cause: "no replica takes builds" });
            break;
          case "session": {
            // A session has one client.
            const owner = build % 3;
            open[owner]!.push(rig.session(clients[owner]!, `session-of-${ref}`, name));
            break;
          }
          case "shared":
            open[at]!.push(rig.session(client, "shared", name));
            break;
          case "status":
            open[at]!.push(rig.status(client, ref, name));
            break;
          case "bridge":
            open[at]!.push(rig.bridge(client, ref, name));
            break;
          case "other":
            open[at]!.push(rig.other(client, name));
            break;
          case "end":
            open[at]!.splice(build, 1)[0]?.end();
            break;
          case "gone":
            rig.gone(client);
            open[at] = [];
            clients[at] = new ScriptedClient();
            break;
          case "unreachable":
            client.cannotReach(["a", "b", "c"][build % 3]!);
            break;
          case "let place":
            gate.letGo();
            break;
          case "settle":
            await settled();
            break;
        }
        if (["solve", "session", "status", "bridge"].includes(what)) ofBuild[build]!.push(name);
      }
      for (let i = 0; i < 10; i++) {
        gate.letGo();
        await settled();
      }
      for (const names of ofBuild) {
        const replicas = new Set(names.map((name) => rig.replicaOf(name)).filter((id) => id !== undefined));
        expect(replicas.size, `${names} went to ${[...replicas]}`).toBeLessThanOrEqual(1);
      }
      const answered = rig.journal.map((line) => line.split(" ")[0]);
      expect(new Set(answered).size).toBe(answered.length);
      // A held build either goes on or is answered: no Solve that is open waits for ever.
      for (const call of open.flat()) if (call.isOpen && call.kind === "solve") expect(answered).toContain(call.name);
      const running = open.flat().filter((call) => call.isOpen && call.name.startsWith("solve"));
      expect(rig.totalLoad).toBe(running.length);
      expect([...rig.running.values()].reduce((sum, count) => sum + count, 0)).toBe(running.length);
      for (const client of clients) rig.gone(client);
      expect(rig.totalLoad).toBe(0);
      expect([...rig.load.values()].every((count) => count >= 0)).toBe(true);
      expect(rig.groups.census).toMatchObject({ clients: 0, calls: 0, waiting: 0 });
    }),
    { numRuns: 500 },
  );
}, 60_000);

test("nothing of what a Solve may hold in secret is logged", async () => {
  const lines: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const secret = (name: string) => `https://user:S3CRET@${name}/acme/app.git#main`;
  for (const [i, attr] of ["context", "vcs:source"].entries()) {
    const rig = new RoutingRig(["a", "b"], { log });
    const client = new ScriptedClient();
    client.cannotReach("a");
    const attrs = new Map([[attr, secret("github.com")]]);
    rig.solve(client, solve(`${i}`, { attrs, imageNames: [secret("registry")] }));
    await settled();
    expect(rig.replicaOf(`solve ${i}`)).toBe("b");
  }
  const broken = new RoutingRig(["a"], { wrapPlacer: brokenPlacer, log });
  broken.solve(new ScriptedClient(), solve("2", { attrs: new Map([["context", secret("github.com")]]) }));
  await settled();
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain('"key":"github.com/acme/app"');
  expect(lines.join()).not.toContain("S3CRET");
});
