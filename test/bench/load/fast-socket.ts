import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

/** Called with bytes that are valid during the call only. */
export type OnBytes = (bytes: Buffer, count: number) => void;

/** All plain sockets of a process read into this one buffer, one after the other. */
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);

/** What Go's clients choose where the processor has AES instructions, and buildx is one. */
const CLIENT_CIPHER = "TLS_AES_128_GCM_SHA256";

/** How the benchmark's clients speak TLS to a port of 127.0.0.1. */
export function tlsClientOptions(port: number): tls.ConnectionOptions {
  return {
    port,
    host: "127.0.0.1",
    servername: "localhost",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
    ciphers: CLIENT_CIPHER,
    minVersion: "TLSv1.3",
  };
}

/** Connect to 127.0.0.1. `onBytes` is first called after the promise has resolved. */
export async function connectFast(port: number, isTls: boolean, onBytes: OnBytes): Promise<net.Socket> {
  if (isTls) {
    const socket = tls.connect({
      ...tlsClientOptions(port),
      onread: reusedBuffer(onBytes),
    } as tls.ConnectionOptions);
    await once(socket, "secureConnect");
    return socket;
  }
  const socket = net.connect({
    port,
    host: "127.0.0.1",
    noDelay: true,
    onread: reusedBuffer((bytes, count) => onBytes(bytes, count)),
  });
  await once(socket, "connect");
  return socket;
}

/** A socket whose native handle can be handed to another one. */
interface WithHandle {
  _handle: unknown;
}

/**
 * Accept plain connections on a free port and read them without an allocation
 * per read. Node has no public way to give an accepted socket a read buffer, so
 * the paused socket's handle moves to a new one.
 */
export async function listenPlain(onSocket: (socket: net.Socket) => OnBytes): Promise<number> {
  const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
    const holder = accepted as unknown as WithHandle;
    const handle = holder._handle;
    holder._handle = null;
    let onBytes: OnBytes = () => {};
    const options = { handle, onread: reusedBuffer((bytes, count) => onBytes(bytes, count)) };
    const socket = new net.Socket(options as net.SocketConstructorOpts);
    onBytes = onSocket(socket);
    socket.resume();
  });
  return listen(server);
}

/** Accept TLS connections on a free port. */
export async function listenTls(
  certificate: { readonly cert: Buffer; readonly key: Buffer },
  onSocket: (socket: net.Socket) => OnBytes,
): Promise<number> {
  const server = tls.createServer({ ...certificate, ALPNProtocols: ["h2"], noDelay: true }, (socket) => {
    const onBytes = onSocket(socket);
    socket.on("data", (chunk: Buffer) => onBytes(chunk, chunk.length));
  });
  return listen(server);
}

function reusedBuffer(onBytes: OnBytes): net.OnReadOpts {
  return {
    buffer: READ_BUFFER,
    callback: (count, bytes) => {
      onBytes(bytes as Buffer, count);
      return true;
    },
  };
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1", 1_024);
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}
