import { mustRun } from "../lab/command.ts";

/** Make a folder a git checkout of one commit, whose id is the same for the same files. `env` is buildx's. */
export async function makeGitCheckout(
  folder: string,
  remote: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const date = "2020-09-13T12:26:40Z";
  const git = (...args: string[]) =>
    mustRun("git", ["-c", "user.name=Story", "-c", "user.email=story@example.invalid", ...args], {
      cwd: folder,
      env: { ...env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, GIT_CONFIG_NOSYSTEM: "1" },
    });
  await git("init", "--quiet", "--initial-branch=main");
  await git("remote", "add", "origin", remote);
  await git("add", ".");
  await git("commit", "--quiet", "--message=one");
}
