import { describe, expect, test } from "vitest";
import { PeerSettings, settingsFrame } from "../../../src/http2/settings.ts";
import { settingsFrame as plainSettingsFrame, Setting } from "../../support/raw-http2/frames.ts";

type Entries = readonly (readonly [id: number, value: number])[];

const payload = (entries: Entries): Buffer => plainSettingsFrame(entries).subarray(9);

function codeOf(act: () => void): number | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

describe("a peer's settings", () => {
  test("begin at the protocol's initial values (RFC 9113 §6.5.2)", () => {
    const { initialWindowBytes, maxFrameBytes, maxConcurrentStreams } = new PeerSettings();
    expect([initialWindowBytes, maxFrameBytes, maxConcurrentStreams]).toEqual([
      65_535,
      16_384,
      Number.POSITIVE_INFINITY,
    ]);
  });

  test("are taken in order: the last of a kind counts, unknown ones do not", () => {
    const settings = new PeerSettings();
    settings.apply(
      payload([
        [Setting.INITIAL_WINDOW_SIZE, 1],
        [0xfafa, 9],
        [Setting.INITIAL_WINDOW_SIZE, 70_000],
      ]),
      false,
    );
    settings.apply(
      payload([
        [Setting.MAX_CONCURRENT_STREAMS, 0],
        [Setting.MAX_FRAME_SIZE, 0xff_ffff],
      ]),
      false,
    );
    const { initialWindowBytes, maxFrameBytes, maxConcurrentStreams } = settings;
    expect([initialWindowBytes, maxFrameBytes, maxConcurrentStreams]).toEqual([70_000, 0xff_ffff, 0]);
  });

  test.each<[string, Entries, boolean, number | undefined]>([
    ["ENABLE_PUSH of 1 by a client", [[Setting.ENABLE_PUSH, 1]], false, undefined],
    ["ENABLE_PUSH of 1 by a server", [[Setting.ENABLE_PUSH, 1]], true, 0x1],
    ["ENABLE_PUSH of 0 by a server", [[Setting.ENABLE_PUSH, 0]], true, undefined],
    ["ENABLE_PUSH of 2", [[Setting.ENABLE_PUSH, 2]], false, 0x1],
    ["INITIAL_WINDOW_SIZE of 2^31-1", [[Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]], false, undefined],
    ["INITIAL_WINDOW_SIZE of 2^31", [[Setting.INITIAL_WINDOW_SIZE, 2 ** 31]], false, 0x3],
    ["MAX_FRAME_SIZE of 16,384", [[Setting.MAX_FRAME_SIZE, 16_384]], false, undefined],
    ["MAX_FRAME_SIZE of 16,383", [[Setting.MAX_FRAME_SIZE, 16_383]], false, 0x1],
    ["MAX_FRAME_SIZE of 2^24", [[Setting.MAX_FRAME_SIZE, 2 ** 24]], false, 0x1],
    ["MAX_CONCURRENT_STREAMS of 2^32-1", [[Setting.MAX_CONCURRENT_STREAMS, 2 ** 32 - 1]], true, undefined],
  ])("%s", (_name, entries, isFromServer, code) => {
    expect(codeOf(() => new PeerSettings().apply(payload(entries), isFromServer))).toBe(code);
  });

  test("of a size that is no multiple of six are a FRAME_SIZE_ERROR", () => {
    expect(codeOf(() => new PeerSettings().apply(Buffer.alloc(7), false))).toBe(0x6);
  });

  test("of very many entries are refused", () => {
    const many = payload(Array.from({ length: 129 }, () => [0xfafa, 0] as const));
    expect(codeOf(() => new PeerSettings().apply(many, false))).toBe(0xb);
  });
});

test("a SETTINGS frame is written as the protocol has it", () => {
  const entries = [
    [Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1],
    [Setting.ENABLE_PUSH, 0],
  ] as const;
  expect(settingsFrame(entries)).toEqual(plainSettingsFrame(entries));
  expect(settingsFrame([])).toEqual(Buffer.from("000000040000000000", "hex"));
});
