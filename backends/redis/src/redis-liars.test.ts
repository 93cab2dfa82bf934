/**
 * The law over Redis engines that lie: each has a real server and the real engine, and one mistake
 * in what goes to the server, or in what runs there. The law must break on every one.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { runStateChecks, stateChecks } from "@banyan/state/conformance";
import type { StateSuite } from "@banyan/state/conformance";
import { findReasonToSkip, openRedisServer, redisPrograms } from "@banyan/testbed";
import type { RedisServer } from "@banyan/testbed";
import { openMovedHarness } from "./conformance/moved-clock.ts";
import type { RedisLink } from "./link.ts";
import type { RedisQuestion } from "./request.ts";
import type { RedisScript, RedisScripts } from "./scripts.ts";

const skip = await findReasonToSkip(redisPrograms);
let server: RedisServer | undefined;
before(async () => {
  if (skip === false) server = await openRedisServer({ config: { save: "" } });
});
after(() => server?.[Symbol.asyncDispose]());

interface LinkLiar {
  readonly lie: string;
  readonly caughtBy: string;
  /** What differs from the real link. */
  readonly ask?: (real: RedisLink) => RedisLink["ask"];
  readonly scripts?: (own: RedisScripts) => RedisScripts;
}

function lying(real: RedisLink, ask: RedisLink["ask"]): RedisLink {
  return {
    isCluster: real.isCluster,
    isReadyFor: (tag) => real.isReadyFor(tag),
    scripts: real.scripts,
    ask,
    check: (waiting) => real.check(waiting),
    clients: () => real.clients(),
    close: () => real.close(),
  };
}

const calls = (question: RedisQuestion, script: RedisScript): boolean =>
  question.args[0] === script.sha;

/** Changes every word of what goes to the server. */
function words(
  change: (word: string, question: RedisQuestion) => string,
): NonNullable<LinkLiar["ask"]> {
  return (real) => (question, waiting) =>
    real.ask({ ...question, args: question.args.map((word) => change(word, question)) }, waiting);
}

/** Changes one argument of `set`; its places are those of the script's ARGV, from 1. */
function setting(at: number, change: (word: string) => string): NonNullable<LinkLiar["ask"]> {
  return (real) => (question, waiting) => {
    if (!calls(question, real.scripts.set)) return real.ask(question, waiting);
    const args = question.args.map((word, index) => (index === at + 4 ? change(word) : word));
    return real.ask({ ...question, args }, waiting);
  };
}

/** Changes the text of a script. */
function scripted(
  name: keyof RedisScripts,
  from: string | RegExp,
  to: string,
): NonNullable<LinkLiar["scripts"]> {
  return (own) => {
    const text = own[name].text.replaceAll(from, to);
    assert.notEqual(text, own[name].text, `${name} has no ${String(from)}`);
    return { ...own, [name]: { name, text, sha: createHash("sha1").update(text).digest("hex") } };
  };
}

const liars: readonly LinkLiar[] = [
  {
    lie: "answers a write without having sent it",
    caughtBy: "what was set is got, with the etag that set returned",
    ask: (real) => (question, waiting) =>
      calls(question, real.scripts.set) ? Promise.resolve(1) : real.ask(question, waiting),
  },
  {
    lie: "hands single writes over a turn later than batches",
    caughtBy: "writes take effect in the order in which they were handed over",
    ask: (real) => async (question, waiting) => {
      if (calls(question, real.scripts.set)) await new Promise(setImmediate);
      return real.ask(question, waiting);
    },
  },
  {
    lie: "loses the condition on the way to the script",
    caughtBy: "ifMatch writes over the etag it names and over no other",
    ask: setting(1, () => ""),
  },
  {
    lie: "takes ifAbsent for a condition that always holds",
    caughtBy: "a condition is held against the writes that were handed over before it",
    ask: setting(1, (condition) => (condition === "-" ? "" : condition)),
  },
  {
    lie: "writes a batch entry by entry",
    caughtBy: "nobody sees half a batch",
    ask: (real) => async (question, waiting) => {
      if (!calls(question, real.scripts.commit)) return real.ask(question, waiting);
      const [sha = "", count = "", index = "", expiring = "", ...rest] = question.args;
      const keys = rest.slice(0, Number(count) - 2);
      const puts = rest.slice(keys.length + 2);
      if (puts.length !== keys.length * 4) return real.ask(question, waiting);
      for (const [at, key] of keys.entries()) {
        const args = [sha, "3", index, expiring, key, "1", "0", ...puts.slice(at * 4, at * 4 + 4)];
        await real.ask({ ...question, args }, waiting);
      }
      return 0;
    },
  },
  {
    lie: "commits a transaction without its checks",
    caughtBy: "a check that does not hold is a conflict, and nothing is written",
    scripts: scripted("commit", "then return -1 end", "then checks = -1 end"),
  },
  {
    lie: "compares an etag with the beginning of another",
    caughtBy: "checks of presence and of absence hold when they are true",
    scripts: scripted("commit", "'^(%S+) ') ==", "'^(%S+)%.') =="),
  },
  {
    lie: "takes the time to live away that it should keep",
    caughtBy: "update keeps the time to live",
    ask: setting(2, (expiry) => (expiry === "keep" ? "none" : expiry)),
  },
  {
    lie: "keeps the time to live that it should take away",
    caughtBy: "set without a time to live takes the old one away",
    ask: setting(2, (expiry) => (expiry === "none" ? "keep" : expiry)),
  },
  {
    lie: "keeps times to live in whole seconds",
    caughtBy: "set with a time to live counts from that write",
    ask: setting(2, (expiry) => (Number(expiry) > 0 ? String(Number(expiry) + 999) : expiry)),
  },
  {
    lie: "lets an entry live for the millisecond in which it ends",
    caughtBy: "an entry is there until its time to live is over and gone from then on",
    scripts: scripted("set", "at + expiry - 1", "at + expiry"),
  },
  {
    lie: "forgets to put new keys into the index",
    caughtBy: "a scan comes in the order of the keys' UTF-8 bytes",
    scripts: scripted("set", "call('ZADD', index, 0, member)", ""),
  },
  {
    lie: "gives a page without looking whether its entries live",
    caughtBy: "every method agrees that an expired entry is gone",
    scripts: scripted("scan", "if text then", "text = text or 'e 1\\n0' if text then"),
  },
  {
    lie: "reads a prefix as a start and not as an end",
    caughtBy: "a prefix is literal text",
    ask: (real) => (question, waiting) => {
      if (!calls(question, real.scripts.scan)) return real.ask(question, waiting);
      return real.ask({ ...question, args: question.args.with(5, "+") }, waiting);
    },
  },
  {
    lie: "compares keys without looking at case",
    caughtBy: "keys that look alike are different keys",
    ask: words((word) => (word.includes(":e:") ? word.toLowerCase() : word)),
  },
  {
    lie: "forgets the name of the store in the names of keys",
    caughtBy: "two stores never see each other's keys",
    ask: words((word) => word.replace(/(?<=^banyan:\{[^}]*\}:)[^:]*/, "x")),
  },
  {
    lie: "counts every revision as the first",
    caughtBy: "an entry begins at revision 1 and every write counts one more",
    scripts: scripted("set", "(r or 1) + 1", "1"),
  },
  {
    lie: "takes the time of every write for that of the first",
    caughtBy: "the time of the first write stays, the time of the last one moves",
    scripts: scripted("set", "(created or at)", "at"),
  },
];

function suiteOf({ ask, scripts }: LinkLiar): StateSuite {
  return {
    name: "a liar",
    capabilities: ["expires", "revisions", "transaction"],
    runs: 5,
    open: () => {
      assert(server !== undefined);
      return openMovedHarness({
        servers: [server],
        options: { url: server.url },
        between: (real) => (ask === undefined ? real : lying(real, ask(real))),
        ...(scripts === undefined ? {} : { scripts }),
      });
    },
  };
}

test("over a link that does not lie the same checks hold", { skip }, async () => {
  const named = new Set(liars.map(({ caughtBy }) => caughtBy));
  const checks = stateChecks.filter(({ name }) => named.has(name));
  assert.equal(checks.length, named.size, "a check that liars name is not there");
  const honest: LinkLiar = {
    lie: "",
    caughtBy: "",
    ask:
      (real) =>
      (...all) =>
        real.ask(...all),
  };
  const results = await runStateChecks(suiteOf(honest), checks);
  assert.deepEqual(
    results.filter(({ kind }) => kind !== "held"),
    [],
  );
});

for (const liar of liars) {
  test(`the law catches a Redis engine that ${liar.lie}`, { skip }, async () => {
    const checks = stateChecks.filter(({ name }) => name === liar.caughtBy);
    const [result] = await runStateChecks(suiteOf(liar), checks);
    assert.equal(result?.kind, "broken", `"${liar.caughtBy}" held`);
  });
}
