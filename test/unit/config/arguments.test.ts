import { expect, test } from "vitest";
import { readArguments } from "../../../src/config/arguments.ts";
import { formatProblem } from "../../../src/config/problem.ts";

const FLAGS = [
  { flag: "--undo", isRepeatable: false, isSwitch: true },
  { flag: "--wait", isRepeatable: false },
  { flag: "--admin", isRepeatable: true },
];

function read(argv: readonly string[], maxOperands?: number) {
  const { values, operands, problems } = readArguments(argv, FLAGS, maxOperands);
  return { values: Object.fromEntries(values), operands, problems: problems.map(formatProblem) };
}

test("flags and operands may stand in any order", () => {
  expect(read(["--wait", "1h", "a", "--undo", "--admin=x", "--admin", "y"], 1)).toEqual({
    values: { "--wait": ["1h"], "--undo": [""], "--admin": ["x", "y"] },
    operands: ["a"],
    problems: [],
  });
});

test("a switch takes no value, and leaves the next argument alone", () => {
  expect(read(["--undo", "a"], 1)).toMatchObject({ operands: ["a"], problems: [] });
  expect(read(["--undo=yes"], 1).problems).toEqual(["--undo: takes no value"]);
  expect(read(["--undo", "--undo"], 1).problems).toEqual(["--undo: is given twice"]);
});

test("more operands than there may be are problems", () => {
  expect(read(["a", "b"], 1)).toMatchObject({ operands: ["a"], problems: ['unexpected argument: "b"'] });
  expect(read(["a"])).toMatchObject({ operands: [], problems: ['unexpected argument: "a"'] });
});

test("what follows a flag that was not understood is no operand", () => {
  expect(read(["--wiat", "1h", "a"], 1)).toEqual({
    values: {},
    operands: ["a"],
    problems: ["--wiat: unknown flag (did you mean --wait?)"],
  });
});

test("behind two dashes everything is an operand", () => {
  expect(read(["--", "--undo"], 1)).toMatchObject({ operands: ["--undo"], values: {}, problems: [] });
});
