import { expect, test } from "vitest";
import { lengthField, mapEntryField } from "../../../src/buildkit/protobuf-writer.ts";
import { readRecordDigests } from "../../../src/buildkit/record-digests.ts";

/** A `Descriptor`. */
function descriptor(digest: string): Buffer {
  return Buffer.concat([lengthField(1, Buffer.from("application/x")), lengthField(2, Buffer.from(digest))]);
}

/** An entry of a map whose values are messages. */
function entry(value: Buffer): Buffer {
  return lengthField(2, value);
}

function event(...fields: Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(8, 1), lengthField(2, Buffer.concat(fields))]);
}

test("every digest of a record is read, each once", () => {
  const result = Buffer.concat([
    lengthField(1, descriptor("result")),
    lengthField(2, descriptor("attestation 1")),
    lengthField(2, descriptor("attestation 2")),
    lengthField(3, entry(descriptor("result 0"))),
  ]);
  const message = event(
    lengthField(1, Buffer.from("ref")),
    mapEntryField(3, "context", "."),
    lengthField(8, descriptor("logs")),
    lengthField(10, result),
    lengthField(11, Buffer.concat([lengthField(1, Buffer.from("linux/arm64")), lengthField(2, result)])),
    lengthField(13, descriptor("trace")),
    lengthField(18, descriptor("error")),
    lengthField(8, descriptor("")),
  );
  expect(readRecordDigests(message)).toEqual([
    "logs",
    "result",
    "attestation 1",
    "attestation 2",
    "result 0",
    "trace",
    "error",
  ]);
});

test("of a record that cannot be read to its end, those that came before are", () => {
  const message = event(
    lengthField(8, descriptor("logs")),
    lengthField(13, Buffer.of(0xff)),
    lengthField(18, descriptor("x")),
  );
  expect(readRecordDigests(message)).toEqual(["logs"]);
  expect(readRecordDigests(Buffer.alloc(0))).toEqual([]);
});
