import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { createSecureContext } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { blameSetting } from "../../../src/base/blame-setting.ts";
import { GatewayError } from "../../../src/base/errors.ts";
import { readTlsFiles } from "../../../src/base/tls-files.ts";
import { describeStartError } from "../../../src/cli/start-error.ts";

/** What a function throws. */
function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (reason) {
    return reason;
  }
  throw new Error("nothing was thrown");
}

/** The error of a server that cannot listen. */
function failureOf(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.once("error", resolve));
}

test("a port in use is named", async () => {
  const first = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void first.close());
  await once(first, "listening");
  const { port } = first.address() as AddressInfo;
  const second = createServer().listen(port, "127.0.0.1");
  const reason = await failureOf(second);
  expect(describeStartError(reason)).toBe(`cannot listen on 127.0.0.1:${port}: address already in use`);
});

test("a setting that asked for what failed comes first", async () => {
  const reason = await failureOf(createServer().listen("/nonexistent/gateway.sock"));
  const blamed = await blameSetting("pools.amd64.listen", () => Promise.reject(reason)).catch((error) => error);
  expect(describeStartError(blamed)).toMatch(
    /^pools\.amd64\.listen: cannot listen on \/nonexistent\/gateway\.sock: \w/,
  );
  const unreadable = thrownBy(() => readTlsFiles("tls", { clientCa: "/nonexistent/ca.crt" }));
  expect(describeStartError(unreadable)).toBe(
    "tls.clientCa: cannot read /nonexistent/ca.crt: no such file or directory",
  );
});

test("a socket path that cannot be used is named", async () => {
  const reason = await failureOf(createServer().listen("/nonexistent/gateway.sock"));
  expect(describeStartError(reason)).toMatch(/^cannot listen on \/nonexistent\/gateway\.sock: /);
});

test("an unreadable file is named", () => {
  const reason = thrownBy(() => readFileSync("/nonexistent/tls.crt"));
  expect(describeStartError(reason)).toBe("cannot read /nonexistent/tls.crt: no such file or directory");
});

test("a certificate that is none is said to be so, without OpenSSL's numbers", () => {
  const reason = thrownBy(() => createSecureContext({ cert: "nonsense" }));
  expect(describeStartError(reason)).toMatch(/^certificate or key not usable: PEM routines.* \(ERR_OSSL_\w+\)$/);
});

test("our own message is kept, with its cause behind it unless it says so already", () => {
  const cause = thrownBy(() => readFileSync("/nonexistent/tls.crt"));
  expect(describeStartError(new GatewayError("internal", "tls.cert", { cause }))).toBe(
    "tls.cert: cannot read /nonexistent/tls.crt: no such file or directory",
  );
  expect(describeStartError(new Error("lost: broken", { cause: new Error("broken") }))).toBe("lost: broken");
});

test("anything else is one line", () => {
  expect(describeStartError(new Error("two\n  lines\n"))).toBe("two lines");
  expect(describeStartError("thrown text")).toBe("thrown text");
});
