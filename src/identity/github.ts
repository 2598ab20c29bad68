import { type Claim, makeClaim } from "./claim.ts";

const DEFAULT_SERVER = "https://github.com";

/**
 * A repository as affinity keys write it: `github.com/acme/app`, from
 * `acme/app` and any address on its server. `undefined` where one of them is
 * none.
 */
export function githubRepository(fullName: string, server = DEFAULT_SERVER): string | undefined {
  if (!/^[\w.-]+\/[\w.-]+$/.test(fullName) || !URL.canParse(server)) return undefined;
  return `${new URL(server).host}/${fullName}`;
}

/**
 * What a job's environment says of it: `NAME=value` lines, as a runner's
 * job-started hook writes them with `env` (docs.github.com, "Default environment
 * variables"). Other lines are passed over.
 */
export function readJobEnvironment(text: string): Claim {
  const values = new Map(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^(GITHUB_\w+)=(.*?)\r?$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value!] as const];
    }),
  );
  const server = values.get("GITHUB_SERVER_URL") || DEFAULT_SERVER;
  const claimed = {
    repository: githubRepository(values.get("GITHUB_REPOSITORY") ?? "", server),
    workflow: values.get("GITHUB_WORKFLOW_REF"),
    runId: values.get("GITHUB_RUN_ID"),
    job: values.get("GITHUB_JOB"),
  };
  return makeClaim((key) => (key in claimed ? claimed[key as keyof typeof claimed] : undefined));
}
