import type { GatewayError } from "../base/errors.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";

/** Decides where the calls of clients go. The data plane tells it of each. */
export interface Router {
  /** The one replica that every call goes to, without being read: none of the calls below is made then. */
  readonly straightTo: string | undefined;
  /** A Session; `sharedKey` as its client names what its cache is shared by. */
  openSession(call: RoutedCall, buildSession: string, sharedKey: string | undefined): void;
  /** A call of a build's frontend. */
  openBridge(call: RoutedCall, buildRef: string): void;
  /** Progress of a build. */
  openStatus(call: RoutedCall, buildRef: string): void;
  /** A call for content, whose body has been read. */
  openContent(call: RoutedCall, digest: string): void;
  /** Any other call. */
  openOther(call: RoutedCall): void;
  /** The headers of a Solve have come; its body is being read. */
  solveArriving(client: RoutedClient): void;
  /** The body of an announced Solve has been read, or will not come. */
  solveArrived(client: RoutedClient): void;
  /** A Solve that has been read. */
  openSolve(call: RoutedCall, solve: SolveRequest): void;
  /** The replica that ran a Solve is gone. */
  buildLost(call: RoutedCall, error: GatewayError): void;
  /** A call has ended, however. */
  closed(call: RoutedCall): void;
  /** A client's connection is gone, and all its calls with it. */
  clientGone(client: RoutedClient): void;
}
