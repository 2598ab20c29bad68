import { expect, test } from "vitest";
import { readFields } from "../../../src/buildkit/protobuf-reader.ts";
import { lengthField, mapEntryField } from "../../../src/buildkit/protobuf-writer.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";

const { ListWorkers } = controlRpcs;

test.each([0, 1, 127, 128, 16_384])("a field of %i bytes is read as it was written", (length) => {
  const bytes = Buffer.alloc(length, 7);
  expect([...readFields(lengthField(2_000, bytes))]).toEqual([{ number: 2_000, wireType: 2, varint: 0, bytes }]);
});

test("what is put behind a message overrides that, and nothing else", () => {
  const [record] = [
    ...readFields(ListWorkers.responseSerialize({ record: [{ ID: "was", Labels: { a: "1", b: "2" } } as never] })),
  ];
  const changed = Buffer.concat([record!.bytes, lengthField(1, Buffer.from("is")), mapEntryField(2, "b", "3")]);
  const { record: read } = ListWorkers.responseDeserialize(lengthField(1, changed));
  expect(read).toMatchObject([{ ID: "is", Labels: { a: "1", b: "3" } }]);
});
