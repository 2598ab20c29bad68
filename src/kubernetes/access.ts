import type { RequestOptions } from "node:https";

/** What a request needs so that the API server knows who asks, and the client whom it asks. */
export type Credentials = Pick<RequestOptions, "agent" | "auth" | "ca" | "cert" | "key" | "rejectUnauthorized"> & {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Name that the server's certificate must carry in place of the host's. */
  readonly servername?: string;
};

/** How to speak to one Kubernetes API server. */
export interface KubernetesAccess {
  /** Its address; the path, if any, comes before those of the API. */
  readonly server: URL;
  /** The namespace that the credentials belong to: the pod's own, or the context's. */
  readonly namespace: string | undefined;
  /**
   * Credentials for one request, as they are now: tokens and certificates rotate.
   * Rejects with an Error that names the file or the command at fault.
   */
  credentials(): Promise<Credentials>;
  /** The server did not take the last credentials: what is kept of them is void. */
  forget(): void;
  /** Close idle connections. */
  close(): void;
}
