/** What is held now, for tests and for whoever watches the gateway. */
export interface GroupCensus {
  readonly clients: number;
  /** Calls that belong to a group. */
  readonly calls: number;
  /** Calls that wait for their Solve, or for the owner of what they ask for. */
  readonly waiting: number;
  /** Refs and sessions that are remembered. */
  readonly tokens: number;
}
