/** A git repository, and a directory in it, as names that are the same however they were written. */
export interface Repository {
  /** `host[:port]/path` without scheme, credentials, `.git` and slashes at the end. */
  readonly name: string;
  /** Directory inside it; empty for its root. */
  readonly subdir: string;
}

/** Ports that the schemes imply. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443", ssh: "22", git: "9418" };

/** Longest remote that is looked at. */
const MAX_REMOTE_CHARACTERS = 4_096;

/**
 * `[user@]host:path`, git's short form for ssh. One letter before the colon is a
 * drive of Windows'; without a user, a path of one part may be a password.
 */
const SCP_FORM = /^(?:[^@/:\s]+@(?=.)|(?=[^/]*\/))([A-Za-z0-9._-]{2,}|\[[0-9A-Fa-f:.]+\]):(?!\/\/)\/*(.+)$/;

/** What docker takes for a repository without a scheme (moby/buildkit util/gitutil). */
const BARE_FORM = /^github\.com\/+(.+)$/i;

/** `scheme://[credentials@]host[:port]/path`. */
const URL_FORM = /^(https?|ssh|git):\/\/(?:[^@/\s]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d+)?)?\/+(.+)$/i;

/** An address behind a `?` or `#`: these stood in a password, and what came before them is a part of it. */
const MISPLACED_ADDRESS = /@[^@]*[/:]/;

/**
 * Name the repository of a git remote, so that its spellings are one:
 *
 * - `https://token@GitHub.com/acme/app.git`, `ssh://git@github.com:22/acme/app`,
 *   `git@github.com:acme/app.git`   → `github.com/acme/app`
 * - `github.com/acme/app`           → `github.com/acme/app`
 * - `https://git.acme.io:8443/app/` → `git.acme.io:8443/app`
 * - `…/app.git#main:web` and `…/app.git?ref=main&subdir=web` → subdir `web`
 *
 * Credentials are dropped, never kept or shown. The path keeps its case.
 * `undefined` where the text is no git remote.
 */
export function parseRepository(remote: string): Repository | undefined {
  if (remote.length > MAX_REMOTE_CHARACTERS) return undefined;
  const [beforeFragment = "", fragment = ""] = splitOnce(remote.trim(), "#");
  const [address, query = ""] = splitOnce(beforeFragment, "?");
  if (!address.includes("@") && MISPLACED_ADDRESS.test(`${query}#${fragment}`)) return undefined;
  const subdir = new URLSearchParams(query).get("subdir") ?? splitOnce(fragment, ":")[1] ?? "";
  const name = remoteName(address);
  return name === undefined ? undefined : { name, subdir: trimPath(subdir) };
}

function remoteName(address: string): string | undefined {
  const url = URL_FORM.exec(address);
  if (url) {
    const [, scheme = "", host = "", port, path = ""] = url;
    const usedPort = port === undefined ? undefined : String(Number(port));
    const isUsual = usedPort === undefined || usedPort === DEFAULT_PORTS[scheme.toLowerCase()];
    const shownPort = isUsual ? "" : `:${usedPort}`;
    return join(`${host.toLowerCase()}${shownPort}`, path);
  }
  if (address.includes("://")) return undefined;
  const bare = BARE_FORM.exec(address);
  if (bare) return join("github.com", bare[1]!);
  const scp = SCP_FORM.exec(address);
  return scp ? join(scp[1]!.toLowerCase(), scp[2]!) : undefined;
}

/** What is left of credentials in a form that is none of ours: nothing of it may become a name. */
const SUSPECT = /[@\\;]/;

function join(host: string, path: string): string | undefined {
  const trimmed = trimPath(path)
    .replace(/\.git$/, "")
    .replace(/\/+$/, "");
  return trimmed === "" || SUSPECT.test(trimmed) ? undefined : `${host}/${trimmed}`;
}

/** Collapse repeated slashes and `.` segments, and drop slashes at both ends. */
export function trimPath(path: string): string {
  return path
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
