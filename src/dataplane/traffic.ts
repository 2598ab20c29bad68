/** Bytes that have passed, as they are on the wire without TLS. Whoever moves them adds to it. */
export class Traffic {
  receivedBytes = 0;
  sentBytes = 0;
}
