import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { blameSetting } from "../base/blame-setting.ts";
import { type FileContent, faultOf, readBounded } from "../base/bounded-file.ts";
import { errorText } from "../base/system-error.ts";
import { writeIfChanged } from "../trust/atomic-file.ts";
import { findCertificates } from "../trust/certificate-file.ts";
import { missingVariables } from "../trust/env-file.ts";
import { runStepsWrapper } from "../trust/run-steps-wrapper.ts";
import { editToml, type TomlEdit } from "../trust/toml-edit.ts";
import { type CommandContext, PROGRAM } from "./command.ts";
import type { FileRights } from "./trust-flags.ts";

/** What a bundle can be made effective for. */
export const TARGETS = ["buildkitd", "dockerd", "runner", "run-steps"] as const;

export type Target = (typeof TARGETS)[number];

/** What `trust inject` is to do. Paths that are seen are the target's own view of a file. */
export interface InjectRequest {
  readonly targets: readonly Target[];
  readonly bundle: string;
  /** Where the bundle is copied to. Absent: it stays where it is. */
  readonly place: string | undefined;
  readonly bundleSeen: string;
  readonly registries: readonly string[];
  readonly toml: string | undefined;
  readonly tomlOut: string | undefined;
  readonly envFile: string | undefined;
  readonly variables: readonly string[];
  readonly certsDir: string;
  readonly wrapper: string | undefined;
  readonly wrapperSeen: string | undefined;
  readonly runc: string | undefined;
  readonly rights: FileRights;
}

/** Most certificates of a bundle. */
const MAX_CERTIFICATES = 10_000;

const WRAPPER_MODE = 0o755;

/** dockerd reads every `.crt` of a registry's folder, each time it resolves the registry (containerd, hosts.go). */
const DOCKERD_FILE = "buildkit-gateway.crt";

const MAX_TOML_BYTES = 1_048_576;

/** Make a bundle, which `read` reads, effective, telling each file that is written; resolves with whether all of it was done. */
export async function injectTrust(
  request: InjectRequest,
  read: () => Promise<FileContent>,
  context: CommandContext,
): Promise<boolean> {
  const bundle = await readBundle(request.bundle, await read());
  if ("fault" in bundle) {
    context.complain(`${PROGRAM}: ${request.bundle}: ${bundle.fault}\n`);
    return false;
  }
  const write = async (path: string, content: Buffer, mode = request.rights.mode): Promise<void> => {
    const isChanged = await blameSetting(path, () => writeIfChanged({ ...request.rights, path, mode }, content));
    context.print(`${path}: ${isChanged ? "written" : "unchanged"}\n`);
  };
  const isFor = (target: Target) => request.targets.includes(target);
  try {
    if (request.place !== undefined) await write(request.place, bundle.content);
    if (isFor("run-steps")) {
      const { bundleSeen, runc } = request;
      const script = runStepsWrapper({ bundle: bundleSeen, ...(runc !== undefined && { runc }) });
      await write(request.wrapper!, Buffer.from(script), WRAPPER_MODE);
    }
    if (isFor("dockerd")) {
      for (const registry of request.registries) {
        const folder = join(request.certsDir, registry);
        await blameSetting(folder, () => mkdir(folder, { recursive: true }));
        await write(join(folder, DOCKERD_FILE), bundle.content);
      }
    }
    if (isFor("runner")) {
      const isChanged = await blameSetting(request.envFile!, () => appendVariables(request.envFile!, request));
      context.print(`${request.envFile}: ${isChanged ? "appended" : "unchanged"}\n`);
    }
    if (request.tomlOut !== undefined) {
      const edited = await mergeToml(request);
      if ("fault" in edited) {
        context.complain(`${PROGRAM}: ${request.toml}: ${edited.fault}\n`);
        return false;
      }
      await write(request.tomlOut, Buffer.from(edited.text));
    }
    return true;
  } catch (reason) {
    const { message, cause } = reason as Error;
    context.complain(`${PROGRAM}: ${message}${cause === undefined ? "" : `: ${errorText(cause)}`}\n`);
    return false;
  }
}

async function readBundle(
  path: string,
  file: FileContent,
): Promise<{ readonly content: Buffer } | { readonly fault: string }> {
  if (file.t !== "read") return { fault: faultOf(file) };
  const found = await findCertificates(path, file.bytes, { maxCertificates: MAX_CERTIFICATES });
  if (found.t === "malformed") return { fault: `${found.fault.position}: ${found.fault.reason}` };
  // It is about to be shown to every build step: a private key in it would be, too.
  const [other] = found.remarks;
  if (other) return { fault: `${other.position}: not a certificate: ${PROGRAM} trust build makes a bundle without it` };
  const isPem = file.bytes.includes("-----BEGIN CERTIFICATE-----");
  if (!isPem || found.certificates.length === 0)
    return { fault: `no PEM certificate in it: ${PROGRAM} trust build makes one` };
  return { content: file.bytes };
}

async function mergeToml(request: InjectRequest): Promise<{ readonly text: string } | { readonly fault: string }> {
  let text = "";
  if (request.toml !== undefined) {
    const file = await readBounded(request.toml, MAX_TOML_BYTES);
    if (file.t !== "read") return { fault: faultOf(file) };
    text = file.bytes.toString("utf8");
  }
  const { targets, bundleSeen, wrapperSeen } = request;
  const edits: TomlEdit[] = [];
  if (targets.includes("buildkitd")) {
    for (const registry of request.registries) {
      edits.push({ t: "include", path: ["registry", registry, "ca"], value: bundleSeen });
    }
  }
  if (targets.includes("run-steps") && wrapperSeen !== undefined) {
    edits.push({ t: "set", path: ["worker", "oci", "binary"], value: wrapperSeen });
  }
  const outcome = editToml(text, edits);
  return outcome.t === "edited" ? { text: outcome.text } : { fault: `line ${outcome.line}: ${outcome.reason}` };
}

/** Whoever else appends to the file at the same time keeps what it wrote: one write, at the end. */
async function appendVariables(path: string, { variables, bundleSeen }: InjectRequest): Promise<boolean> {
  const file = await readBounded(path);
  if (file.t === "unreadable") throw new Error(file.reason);
  const present = file.t === "read" ? file.bytes.toString("utf8") : "";
  const missing = missingVariables(present, new Map(variables.map((name) => [name, bundleSeen])));
  if (missing !== "") await appendFile(path, missing);
  return missing !== "";
}
