/** Liars about what they are and how they end. */

import { engineThat } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

export const liarsAboutLife: readonly StateLiar[] = [
  {
    name: "outlives its end",
    lie: "goes on answering after close",
    caughtBy: "a closed engine answers everything with CLOSED, and closes twice without harm",
    open: (clock) => {
      const engine = engineThat(clock, () => ({}));
      const close = (): Promise<void> => Promise.resolve();
      return { ...engine, close, [Symbol.asyncDispose]: close };
    },
  },
  {
    name: "boasts",
    lie: "declares a capability that nobody promised",
    caughtBy: "a capability that the engine does not declare is refused by name",
    open: (clock) => {
      const engine = engineThat(clock, () => ({}));
      return { ...engine, capabilities: new Set([...engine.capabilities, "query"] as const) };
    },
  },
  {
    name: "promises riders a place",
    lie: "declares an outbox and has no medium for it",
    caughtBy: "an engine has what it declares about transactions, and nothing else",
    open: (clock) => ({ ...engineThat(clock, () => ({})), medium: undefined }),
  },
  {
    name: "promises a relay its rows",
    lie: "declares a relay and has no outbox for it",
    caughtBy: "an engine has what it declares about transactions, and nothing else",
    open: (clock) => ({ ...engineThat(clock, () => ({})), outbox: undefined }),
  },
  {
    name: "forgets",
    lie: "says durable and keeps everything in memory",
    caughtBy: "values, etags and deletions survive a restart",
    open: (clock) => ({ ...engineThat(clock, () => ({})), durability: "durable" }),
    reopen: (clock) => ({ ...engineThat(clock, () => ({})), durability: "durable" }),
  },
];
