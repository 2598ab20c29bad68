/** Numbers in [0, 1) that are the same for the same seed (Park and Miller's generator). */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}

/** The seed of a random test: of the environment where that names one, so that a failure can be had again. */
export function testSeed(): number {
  const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e9));
  console.log(`seed ${seed} (TEST_SEED=${seed} repeats it)`);
  return seed;
}
