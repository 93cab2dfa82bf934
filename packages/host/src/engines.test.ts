/** Engines and the node's own stores are opened once, whoever asks first and however many. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, systemClock, systemRandom, t } from "@banyan/kernel";
import type { ServiceTools } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import type { StateEngine, StateEngineProvider } from "@banyan/state";
import { createRecordingLog } from "@banyan/testbed";
import { openEngines } from "./engines.ts";
import type { NodeEngines } from "./engines.ts";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import { NewsPost } from "./news-post.ts";
import { StateNews } from "./state-news.ts";
import { resolveNodeOptions } from "./options.ts";
import { flagsOf } from "./sample-node.test.ts";
import { setUpNode } from "./setup.ts";

/** An engine of the name `kept` that counts what is opened, and fails for a while. */
class Kept {
  readonly opened: string[] = [];
  /** Of what is opened now. */
  failure: Error | undefined = undefined;

  readonly state: StateEngineProvider = {
    ...memoryState,
    name: "kept",
    kinds: { state: "durable" },
    openState: async (options) => {
      await this.#open("engine");
      const engine = await memoryState.openState(options);
      return this.#watch(engine);
    },
  };

  #watch(engine: StateEngine): StateEngine {
    const { capabilities, medium, transact } = engine;
    return {
      name: "kept",
      durability: "durable",
      capabilities,
      medium,
      openStore: async (spec) => {
        await this.#open(`${spec.scope}.${spec.name}`);
        return engine.openStore({ ...spec, durability: "ephemeral" });
      },
      ...(transact === undefined ? {} : { transact: transact.bind(engine) }),
      check: (waiting) => engine.check(waiting),
      close: () => engine.close(),
      [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
    };
  }

  async #open(what: string): Promise<void> {
    this.opened.push(what);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
  }
}

async function enginesOf(kept: Kept, disposables: AsyncDisposableStack): Promise<NodeEngines> {
  const setup = await setUpNode(
    resolveNodeOptions({
      services: [],
      findEngine: async () => ({ state: kept.state }),
      config: { flags: flagsOf({ "/engines/durable": "kept", "/engines/bus": "memory" }) },
    }),
  );
  return openEngines({
    node: "test",
    setup,
    disposables,
    directory: undefined,
    inMemory: false,
    clock: systemClock,
    random: systemRandom,
    log: createRecordingLog(),
    onFatal: () => assert.fail("nothing here ends a node"),
    news: new StateNews({
      config: setup.config.state,
      node: "test",
      clock: systemClock,
      random: systemRandom,
      post: new NewsPost(createRecordingLog()),
    }),
    onDeadLetter: () => undefined,
    telemetry: { clock: systemClock, metrics: undefined, tracer: undefined },
  });
}

const settable = (seen: unknown[]): StateEngineProvider => ({
  ...memoryState,
  name: "vault",
  config: t.Object({
    url: t.String({ default: "vault://here", description: "Where it is." }),
    password: t.Optional(t.String({ writeOnly: true, description: "Its secret." })),
    size: t.Integer({ default: 3, minimum: 1, description: "How many." }),
  }),
  openState: (options) => {
    seen.push(options.options);
    return memoryState.openState({ ...options, options: undefined });
  },
});

describe("The settings of an engine", () => {
  const own = {
    services: [],
    config: {
      flags: flagsOf({
        "/http/enabled": false,
        "/engines/durable": "./vault.ts",
        "/engines/ephemeral": "./vault.ts",
        "/engines/bus": "memory",
      }),
      env: { BANYAN_VAULT_PASSWORD: "hunter2" },
      files: [{ name: "banyan.yaml", tree: { vault: { size: 7 } } }],
    },
    log: createRecordingLog(),
  };

  test("are a section under its own name, from file, variable and default", async () => {
    const seen: unknown[] = [];
    const findEngine = async () => ({ state: settable(seen), section: "vault" });
    await using node = await openNode({ ...own, findEngine });
    assert.deepEqual(seen, [{ url: "vault://here", password: "hunter2", size: 7 }]);
    const { rows } = await node.client(nodeContract).config({});
    const row = rows.find(({ name }) => name === "vault.password");
    assert.partialDeepStrictEqual(row, { env: "BANYAN_VAULT_PASSWORD", secret: true });
    assert.doesNotMatch(JSON.stringify(rows), /hunter2/);
  });

  test("that are wrong refuse the start, and a name that is taken has none", async () => {
    const findEngine = async () => ({ state: settable([]), section: "vault" });
    const files = [{ name: "banyan.yaml", tree: { vault: { size: 0, siz: 1 } } }];
    const wrong = { ...own, findEngine, config: { ...own.config, files } };
    await assert.rejects(openNode(wrong), (error: Error) => {
      assert.match(error.message, /vault\.size must be/);
      assert.match(error.message, /vault\.siz/);
      return true;
    });
    const taken = async () => ({ state: settable([]), section: "http" });
    await assert.rejects(
      openNode({ ...own, findEngine: taken, config: { ...own.config, files: [], env: {} } }),
      /"http" cannot be their section/,
    );
  });
});

describe("The engines of a node", () => {
  test("are opened once by callers that come at the same time, and so is the inbox", async () => {
    await using disposables = new AsyncDisposableStack();
    const kept = new Kept();
    const engines = await enginesOf(kept, disposables);
    const found = await Promise.all([1, 2, 3].map(() => engines.durableEngine()));
    assert.equal(new Set(found).size, 1);
    const [engine] = found;
    assert(engine !== undefined);
    const inboxes = await Promise.all([1, 2, 3].map(() => engines.openInbox(engine)));
    assert.equal(new Set(inboxes).size, 1);
    assert.deepEqual(kept.opened, ["engine", "node.inbox"]);
    assert.deepEqual([...engines.stores.keys()], ["node.inbox"]);
  });

  test("are opened again after a failure, and so is the inbox", async () => {
    await using disposables = new AsyncDisposableStack();
    const kept = new Kept();
    const engines = await enginesOf(kept, disposables);
    kept.failure = new Error("The disk is away.");
    const refused = await Promise.allSettled([1, 2].map(() => engines.durableEngine()));
    for (const each of refused) assert.equal(each.status, "rejected");
    assert.deepEqual([...engines.state.keys()], []);
    kept.failure = undefined;
    const engine = await engines.durableEngine();
    kept.failure = new Error("The disk is away.");
    await assert.rejects(engines.openInbox(engine));
    kept.failure = undefined;
    const inbox = await engines.openInbox(engine);
    assert.equal(await engines.openInbox(engine), inbox);
    assert.deepEqual(kept.opened, ["engine", "engine", "node.inbox", "node.inbox"]);
  });
});

test("once works again when its inbox could not be opened the first time", async () => {
  const stores = {
    totals: {
      durability: "durable",
      value: t.Object({ total: t.Integer() }),
      capabilities: ["transaction"],
    },
  } as const;
  const book = defineContract("book", {
    summary: "For a test.",
    version: "1.0.0",
    layer: "L1",
    stores,
  });
  const kept = new Kept();
  let tools: ServiceTools<typeof book> | undefined;
  await using _node = await openNode({
    services: [
      defineService(book, (given) => {
        tools = given;
        return {};
      }),
    ],
    // The node's own inbox is on another engine, so this one's is opened when it is first used.
    findEngine: async (name) =>
      name === "pinned"
        ? { state: { ...kept.state, name } }
        : { state: new Kept().state, bus: memoryBus },
    config: {
      flags: flagsOf({
        "/http/enabled": false,
        "/engines/durable": "kept",
        "/engines/bus": "memory",
        "/engines/pins": { "book.totals": "pinned" },
      }),
    },
    log: createRecordingLog(),
  });
  const handle = async (): Promise<unknown> =>
    tools?.once({ eventId: "e" }, () => undefined, { as: "x" });
  kept.failure = new Error("The disk is away.");
  await assert.rejects(handle());
  kept.failure = undefined;
  const outcomes = await Promise.all([handle(), handle()]);
  assert.deepEqual(outcomes.toSorted(), ["done", "duplicate"]);
  assert.deepEqual(kept.opened, ["engine", "book.totals", "node.inbox", "node.inbox"]);
});
