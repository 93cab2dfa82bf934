// What is wrong with a value: where, what was expected, what was there.

/** How many issues one value can collect; a hostile value must not make a large answer. */
export const ISSUES_MAX = 20;

/** How deep a value may be nested; also what stops a value that contains itself. */
export const DEPTH_MAX = 64;

/** One thing that is wrong with a value. Safe to send to whoever sent the value. */
export interface Issue {
  /** RFC 6901 pointer to the place; `""` is the whole value. */
  readonly pointer: string;
  /** The schema keyword that was broken; `depth` and `json` name limits of our own. */
  readonly keyword: string;
  /** What should stand there: "a string of 1 to 64 characters". */
  readonly expected: string;
  /** What stands there, shortened; a secret is never shown. */
  readonly actual: string;
  /** The known property that an unknown one was most likely meant to be. */
  readonly suggestion?: string;
  /** One sentence that says it all. */
  readonly message: string;
}

/**
 * How unknown properties are treated: `strict` refuses them (the HTTP edge), `tolerant` drops them
 * (mesh and events, so that a newer sender is understood).
 */
export type ParseMode = "strict" | "tolerant";
