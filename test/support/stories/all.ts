import { BAKE_LINKED_STORY, BAKE_SHARED_STORY } from "./bake.ts";
import { BIG_CONTEXT_STORY, BIG_EXPORT_STORY } from "./big-files.ts";
import { CANCEL_STORY } from "./cancel.ts";
import { CHECK_STORY, OUTLINE_STORY } from "./check.ts";
import { FAILURE_STORIES } from "./failures.ts";
import { INSPECT_STORY } from "./inspect.ts";
import { MOUNT_STORIES } from "./mounts.ts";
import { LOCAL_CACHE_STORY, NAMED_CONTEXT_STORY, STDIN_STORY } from "./other-inputs.ts";
import { OUTPUT_STORIES } from "./outputs.ts";
import { PARALLEL_STORY } from "./parallel.ts";
import { METADATA_STORY, PROVENANCE_STORY } from "./provenance.ts";
import type { Story } from "./story.ts";

/**
 * Everything that a user does with buildx and that must be the same through a gateway as it is directly.
 *
 * The one list that is run over every kind of target.
 */
export const ALL_STORIES: readonly Story[] = [
  INSPECT_STORY,
  ...OUTPUT_STORIES,
  ...MOUNT_STORIES,
  STDIN_STORY,
  NAMED_CONTEXT_STORY,
  LOCAL_CACHE_STORY,
  BIG_CONTEXT_STORY,
  BIG_EXPORT_STORY,
  BAKE_SHARED_STORY,
  BAKE_LINKED_STORY,
  PARALLEL_STORY,
  CANCEL_STORY,
  ...FAILURE_STORIES,
  CHECK_STORY,
  OUTLINE_STORY,
  PROVENANCE_STORY,
  METADATA_STORY,
];

/** The few that show a connection at work, for targets that differ only in how they are reached, as by TLS. */
export const CONNECTION_STORIES: readonly Story[] = [
  INSPECT_STORY,
  OUTPUT_STORIES[0]!,
  MOUNT_STORIES[0]!,
  BAKE_SHARED_STORY,
];
