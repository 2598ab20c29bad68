/** One stage and one fault, as it came out. */
interface Cell {
  readonly seen: string;
  readonly answerMs: number;
  readonly cleanMs: number;
}

/** What came of each stage and fault, and how fast. */
export class FaultTable {
  readonly #rows = new Map<string, Map<string, Cell>>();
  readonly #stages: string[] = [];

  /** `answerMs`: until all was seen; `cleanMs`: until nothing was left. Both from the fault on. */
  add(stage: string, fault: string, seen: string, answerMs: number, cleanMs: number): void {
    if (!this.#stages.includes(stage)) this.#stages.push(stage);
    const row = this.#rows.get(fault) ?? new Map<string, Cell>();
    row.set(stage, { seen, answerMs, cleanMs });
    this.#rows.set(fault, row);
  }

  /** Times in milliseconds: answer / nothing left; then what was seen, once for each fault and kind. */
  toMarkdown(): string {
    const head = `| Fault | ${this.#stages.join(" | ")} |\n|---|${this.#stages.map(() => "---|").join("")}`;
    const rows = [...this.#rows].map(([fault, cells]) => {
      const times = this.#stages.map((stage) => timesOf(cells.get(stage)));
      return `| ${fault} | ${times.join(" | ")} |`;
    });
    const seen = [...this.#rows].map(([fault, cells]) => {
      const kinds = new Set([...cells.values()].map((cell) => cell.seen));
      return `- ${fault}: ${[...kinds].map((kind) => `\`${kind}\``).join("; ")}`;
    });
    return `${head}\n${rows.join("\n")}\n\n${seen.join("\n")}`;
  }
}

function timesOf(cell: Cell | undefined): string {
  return cell ? `${cell.answerMs.toFixed(0)} / ${cell.cleanMs.toFixed(0)}` : "";
}
