// An action of a trace, and the result of repeating it.
import type { SpecState } from "./world-state.ts";

/** An action's arguments. */
export interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly before: SpecState;
  readonly after: SpecState;
}

/** How a store differs from the specification; undefined: it does not. */
export type Flaw = string | undefined;
