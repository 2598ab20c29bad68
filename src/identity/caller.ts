/**
 * Who is building, as far as it is known. Every text comes from outside, is
 * bounded by whoever read it, and holds no control characters.
 */
export interface Caller {
  /** The names that its client certificate carries: `cn:runner-1`, `dns:runner.example`, `uri:spiffe://…`. */
  readonly certificateNames?: readonly string[];
  /** Namespace of the pod that it runs in. */
  readonly namespace?: string;
  /** Name of that pod. */
  readonly pod?: string;
  /** What the pod is one of: a runner scale set, an application. */
  readonly workload?: string;
  /** The repository whose job it is, as affinity keys write it: `github.com/acme/app`. */
  readonly repository?: string;
  /** `acme/app/.github/workflows/ci.yml@refs/heads/main` */
  readonly workflow?: string;
  /** Number of the workflow's run. */
  readonly runId?: string;
  /** The job's name. */
  readonly job?: string;
}

/** Longest text of a caller's that is kept. */
export const MAX_CALLER_CHARACTERS = 256;

/** Nothing is known. */
export const UNKNOWN_CALLER: Caller = {};

/**
 * What a caller's builds share a cache by, where nothing better is known:
 * its repository, else its certificate, else what its pod is one of.
 *
 * A pod's own name is none: runners are new for each job.
 */
export function callerKey({ repository, certificateNames, namespace, workload }: Caller): string | undefined {
  if (repository !== undefined) return repository;
  if (certificateNames?.[0] !== undefined) return `caller:${certificateNames[0]}`;
  return workload === undefined ? undefined : `caller:${namespace ?? ""}/${workload}`;
}

/** What is known of a caller, for a log line. */
export function describeCaller({ certificateNames, ...caller }: Caller): Record<string, string> {
  const [certificate] = certificateNames ?? [];
  return { ...caller, ...(certificate !== undefined && { certificate }) };
}
