import { section } from "./structure.ts";
import { bytes, count, duration } from "./value-types.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** `limits`: what one peer may cost in memory and time. A client that goes past one is refused; others do not notice. */
export const limitsSchema = section(
  {
    connections: count({ min: 1 })
      .default(20_000)
      .describe("Client connections open at once; fewer where the process may not open two files for each."),
    handshakeTimeout: duration({ min: 100 })
      .default(10_000)
      .describe("Time from a client's connect to the end of its TLS handshake and HTTP/2 preface."),
    connectTimeout: duration({ min: 100 })
      .default(5_000)
      .describe("Time to connect to a replica, TLS and the first SETTINGS included."),
    headersTimeout: duration({ min: 100 })
      .default(10_000)
      .describe("Time from the beginning of a header block to its end."),
    requestTimeout: duration({ min: 100 })
      .default(300_000)
      .describe(
        "Time for a Solve, or another call that says in its body where it belongs, to arrive whole. Choose what " +
          "`limits.solveBytes` take on a slow line.",
      ),
    streams: count()
      .default(100_000)
      .describe(
        "Streams open at once on one client connection; one more is refused. Clients are not told, since " +
          "they queue silently when they are. `0`: no limit.",
      ),
    headerListBytes: bytes({ min: 4 * KIB, max: GIB })
      .default(MIB)
      .describe("Decoded headers of one request, by the measure of RFC 9113 §6.5.2."),
    replicaHeaderListBytes: bytes({ min: 4 * KIB, max: GIB })
      .default(16 * MIB)
      .describe(
        "Decoded headers or trailers of one answer. BuildKit's error details can be large; grpc-go takes 16MiB.",
      ),
    solveBytes: bytes({ min: 64 * KIB, max: GIB })
      .default(64 * MIB)
      .describe("Bytes of one Solve, which is held in memory until it is read and placed."),
    heldBytes: bytes({ min: 64 * KIB, max: 16 * GIB })
      .default(128 * MIB)
      .describe("Bytes of all calls of one connection that are held until their build is placed."),
    heldStreams: count({ min: 4 })
      .default(10_000)
      .describe("Calls of one connection that are held until their build is placed."),
    backlogBytes: bytes({ min: 64 * KIB, max: GIB })
      .default(4 * MIB)
      .describe("Bytes waiting to be written to one peer before the gateway stops reading from the other."),
    controlFramesPerSecond: count({ min: 100 })
      .default(10_000)
      .describe(
        "PING, SETTINGS, PRIORITY and empty DATA frames from one client, beside as many as it moves DATA frames: BuildKit's own " +
          "clients send about 20 PINGs per MB. Likewise WINDOW_UPDATE frames, beside four for each DATA frame and one for each " +
          "KiB that it is sent.",
      ),
    resetsPerSecond: count({ min: 10 }).default(2_000).describe("Streams that one client may open and reset."),
  },
  ({ heldBytes, solveBytes }, report) => {
    if (Number(heldBytes) < Number(solveBytes)) report("heldBytes", "must be at least limits.solveBytes");
  },
);
