/** One vertex of a build, as `--progress=rawjson` shows it. */
export interface RawVertex {
  readonly digest: string;
  readonly name?: string;
  readonly started?: string;
  readonly completed?: string;
  readonly error?: string;
}

/**
 * All vertexes in the order in which raw progress tells of them: one that changes is told of again.
 *
 * buildx 0.29 writes each piece in one line, 0.13 in several.
 */
export function rawVertexes(progress: string): RawVertex[] {
  return progress
    .split(/^(?=\{)/m)
    .flatMap((piece) => /^\{"[^\n]*\}$|^\{\n.*?\n\}$/ms.exec(piece)?.[0] ?? [])
    .flatMap((piece) => (JSON.parse(piece) as { vertexes?: RawVertex[] }).vertexes ?? []);
}
