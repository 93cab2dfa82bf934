import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, extend, t } from "@banyan/kernel";
import type { ServiceDefinition } from "@banyan/kernel";
import { createRecordingLog } from "@banyan/testbed";
import { openNode } from "./node.ts";

const summary = "For a test.";
const version = "1.0.0";

const owner = defineContract("owner", {
  summary,
  version,
  layer: "L1",
  events: {
    told: t.Object({ word: t.String() }),
    closed: t.Object({ word: t.String() }, { additionalProperties: false }),
  },
  extensionPoints: {
    words: {
      kind: "provider",
      summary,
      request: t.Object({ n: t.Integer() }),
      response: t.Object({ word: t.String() }),
    },
    listeners: { kind: "listener", summary, event: "told" },
    closedOnes: { kind: "listener", summary, event: "closed" },
  },
  operations: {
    collect: { summary, response: t.Array(t.String()) },
    tell: {
      summary,
      request: t.Object({ word: t.String() }),
      response: t.Object({ eventId: t.String(), timestamp: t.String() }),
    },
    tellClosed: { summary },
  },
});

const ownerService = defineService(owner, ({ extensionPoints, publish }) => ({
  operations: {
    async collect(_, call) {
      const all = await extensionPoints.words.collect({ n: 1 }, call);
      return all.map(({ service, response }) => `${service}:${response.word}`);
    },
    tell: ({ word }) => publish("told", { word }),
    async tellClosed() {
      const payload = { word: "x" };
      const published = publish("closed", payload);
      payload.word = "changed meanwhile";
      await published;
    },
  },
}));

interface Heard {
  readonly service: string;
  readonly word: string;
  readonly eventId: string;
  readonly timestamp: string;
}

function implementer(
  name: string,
  heard: Heard[],
  failing?: "words" | "listeners",
): ServiceDefinition {
  const contract = defineContract(name, {
    summary,
    version,
    extensions: {
      words: extend(owner, "words"),
      listeners: extend(owner, "listeners"),
      closedOnes: extend(owner, "closedOnes"),
    },
  });
  return defineService(contract, () => ({
    extensions: {
      words: ({ n }) => {
        if (failing === "words") throw new Error("hunter2");
        return { word: `${name}${n}` };
      },
      listeners: ({ word, eventId, timestamp }) => {
        if (failing === "listeners") throw new Error("hunter2");
        heard.push({ service: name, word, eventId, timestamp });
      },
      closedOnes: ({ word, eventId, timestamp }) => {
        heard.push({ service: name, word, eventId, timestamp });
      },
    },
  }));
}

describe("Extension points", () => {
  test("a provider point answers with all implementations, by the order of names", async () => {
    const services = [implementer("zoe", []), ownerService, implementer("ann", [])];
    await using node = await openNode({ services, inMemory: true });
    assert.deepEqual(await node.client(owner).collect({}), ["ann:ann1", "zoe:zoe1"]);
  });

  test("without an implementation it answers nothing", async () => {
    await using node = await openNode({ services: [ownerService], inMemory: true });
    assert.deepEqual(await node.client(owner).collect({}), []);
  });

  test("a provider that fails fails the question, without its cause", async () => {
    const services = [ownerService, implementer("ann", []), implementer("bob", [], "words")];
    await using node = await openNode({ services, inMemory: true });
    await assert.rejects(node.client(owner).collect({}), (error: Error & { code?: string }) => {
      assert.equal(error.code, "INTERNAL");
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });

  test("listeners hear the very event that went to the bus", async () => {
    const heard: Heard[] = [];
    const services = [ownerService, implementer("ann", heard), implementer("bob", heard)];
    await using node = await openNode({ services, inMemory: true });
    const published = await node.client(owner).tell({ word: "hi" });
    assert.deepEqual(heard, [
      { service: "ann", word: "hi", ...published },
      { service: "bob", word: "hi", ...published },
    ]);
  });

  test("a payload that takes no other fields reaches its listeners as well", async () => {
    const heard: Heard[] = [];
    const log = createRecordingLog();
    await using node = await openNode({
      services: [ownerService, implementer("ann", heard)],
      inMemory: true,
      log,
    });
    await node.client(owner).tellClosed({});
    assert.deepEqual(
      heard.map(({ word }) => word),
      ["x"],
      JSON.stringify(log.lines),
    );
  });

  test("a listener that fails is logged and fails nobody", async () => {
    const heard: Heard[] = [];
    const log = createRecordingLog();
    const services = [
      ownerService,
      implementer("ann", heard, "listeners"),
      implementer("bob", heard),
    ];
    await using node = await openNode({ services, inMemory: true, log });
    await node.client(owner).tell({ word: "hi" });
    assert.deepEqual(
      heard.map(({ service }) => service),
      ["bob"],
    );
    const failed = log.lines.filter(({ message }) => message === "listener failed");
    assert.equal(failed[0]?.fields["listener"], "ann.extensions.listeners");
  });
});
